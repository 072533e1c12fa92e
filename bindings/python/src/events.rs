//! Events of a run as classes of Python's, made on the thread that reads them.

use nfa_runtime::Event as Inner;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde_json::Value;

use crate::errors::name;
use crate::json;
use crate::outcome;

/// Something that a run does, as a caller sees it live.
#[pyclass(frozen, subclass, eq, module = "nfa_runtime._native")]
#[derive(PartialEq)]
pub(crate) struct Event(Inner);

#[pymethods]
impl Event {
    /// The event that a dict stands for, such as one that `to_dict` gave.
    #[staticmethod]
    fn from_dict(py: Python<'_>, data: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
        to_py(py, json::parse(data.as_any(), "an event")?)
    }

    /// The event as JSON, with its `type`.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_py(py, &self.value()?)
    }

    /// Its name in JSON, such as `text_delta`.
    #[getter(r#type)]
    fn kind(&self) -> &'static str {
        match &self.0 {
            Inner::TextDelta { .. } => "text_delta",
            Inner::ReasoningDelta { .. } => "reasoning_delta",
            Inner::ToolCallDelta { .. } => "tool_call_delta",
            Inner::Retracted { .. } => "retracted",
            Inner::ToolStarted { .. } => "tool_started",
            Inner::ToolFinished { .. } => "tool_finished",
            Inner::Asked { .. } => "asked",
            Inner::Entry { .. } => "entry",
            Inner::Finished { .. } => "finished",
            _ => "other",
        }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        let mut text = format!("{class}(");
        let Ok(names) = slf.get_type().getattr("__match_args__") else {
            return Ok(format!("{class}({})", slf.get().value()?));
        };
        for (at, name) in names.cast::<PyTuple>()?.iter().enumerate() {
            let name = name.cast::<PyString>()?;
            let held = slf.getattr(name)?.repr()?;
            let comma = if at == 0 { "" } else { ", " };
            text.push_str(&format!("{comma}{name}={held}"));
        }
        text.push(')');
        Ok(text)
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        let py = slf.py();
        let from_dict = py.get_type::<Self>().getattr("from_dict")?;
        Ok((from_dict, (slf.get().to_dict(py)?,)))
    }
}

impl Event {
    fn value(&self) -> PyResult<Value> {
        serde_json::to_value(&self.0).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// The object of the class that an event has.
pub(crate) fn to_py(py: Python<'_>, event: Inner) -> PyResult<Py<PyAny>> {
    macro_rules! object {
        ($class:ident) => {
            Py::new(
                py,
                PyClassInitializer::from(Event(event)).add_subclass($class),
            )?
            .into_any()
        };
    }
    Ok(match &event {
        Inner::TextDelta { .. } => object!(TextDelta),
        Inner::ReasoningDelta { .. } => object!(ReasoningDelta),
        Inner::ToolCallDelta { .. } => object!(ToolCallDelta),
        Inner::Retracted { .. } => object!(Retracted),
        Inner::ToolStarted { .. } => object!(ToolStarted),
        Inner::ToolFinished { .. } => object!(ToolFinished),
        Inner::Asked { .. } => object!(Asked),
        Inner::Entry { .. } => object!(EntryEvent),
        Inner::Finished { .. } => object!(Finished),
        // One of a newer engine: its JSON tells.
        _ => Py::new(py, Event(event))?.into_any(),
    })
}

/// A class of one variant, and its members in the order in which patterns match them.
macro_rules! variant {
    (
        $(#[$doc:meta])* $class:ident($python:literal) of $variant:ident {
            $( $(#[$member_doc:meta])* $member:ident: $type:ty = |$py:ident, $held:ident| $value:expr; )+
        }
    ) => {
        $(#[$doc])*
        #[pyclass(name = $python, extends = Event, frozen, module = "nfa_runtime._native")]
        pub(crate) struct $class;

        #[pymethods]
        impl $class {
            $(
                $(#[$member_doc])*
                #[getter]
                fn $member(slf: &Bound<'_, Self>) -> PyResult<$type> {
                    let $py = slf.py();
                    let _ = $py;
                    match &slf.as_super().get().0 {
                        Inner::$variant { $member: $held, .. } => Ok($value),
                        _ => Err(PyValueError::new_err("an event of another class")),
                    }
                }
            )+

            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Py<PyAny>> {
                PyTuple::new(py, [$(stringify!($member)),+])?.into_py_any(py)
            }
        }
    };
}

variant! {
    /// More text of the agent.
    TextDelta("TextDelta") of TextDelta {
        /// The text.
        text: String = |py, held| held.clone();
        /// The step.
        step: String = |py, held| held.to_string();
        /// Which try of that step.
        attempt: u32 = |py, held| *held;
    }
}

variant! {
    /// More of what the model thinks.
    ReasoningDelta("ReasoningDelta") of ReasoningDelta {
        /// The text.
        text: String = |py, held| held.clone();
        /// The step.
        step: String = |py, held| held.to_string();
        /// Which try of that step.
        attempt: u32 = |py, held| *held;
    }
}

variant! {
    /// The model writes a call.
    ToolCallDelta("ToolCallDelta") of ToolCallDelta {
        /// The call's place in the answer, from 0.
        index: u32 = |py, held| *held;
        /// The tool's name, in the first delta of a call.
        name: Option<String> = |py, held| held.clone();
        /// The next piece of the arguments' JSON text.
        arguments: String = |py, held| held.clone();
        /// The model's step.
        step: String = |py, held| held.to_string();
        /// Which try of that step.
        attempt: u32 = |py, held| *held;
    }
}

variant! {
    /// Every delta of this try is void; another try follows, or an error.
    Retracted("Retracted") of Retracted {
        /// The step.
        step: String = |py, held| held.to_string();
        /// The try whose deltas are void.
        attempt: u32 = |py, held| *held;
        /// Why.
        reason: String = |py, held| held.clone();
    }
}

variant! {
    /// A call is about to run.
    ToolStarted("ToolStarted") of ToolStarted {
        /// The tool.
        tool: String = |py, held| held.to_string();
        /// The arguments, as JSON text.
        arguments: String = |py, held| held.clone();
        /// The step.
        step: String = |py, held| held.to_string();
        /// Which try of that step.
        attempt: u32 = |py, held| *held;
    }
}

variant! {
    /// A call has its result.
    ToolFinished("ToolFinished") of ToolFinished {
        /// How it went: `ok`, `error`, `denied`, `cancelled` or `unknown`.
        status: String = |py, held| name(held);
        /// What the model is told.
        text: String = |py, held| held.clone();
        /// The step.
        step: String = |py, held| held.to_string();
    }
}

variant! {
    /// The run waits for a person.
    Asked("Asked") of Asked {
        /// What for: `approval` or `interrupted`.
        question: String = |py, held| name(held);
        /// The tool.
        tool: String = |py, held| held.to_string();
        /// The arguments, as JSON text.
        arguments: String = |py, held| held.clone();
        /// The step that waits.
        step: String = |py, held| held.to_string();
    }
}

variant! {
    /// A durable fact. Its JSON is read when it is looked at.
    EntryEvent("Entry") of Entry {
        /// The entry, as in the run's journal.
        entry: Py<PyAny> = |py, held| {
            let value = serde_json::to_value(&**held)
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
            json::to_py(py, &value)?.unbind()
        };
    }
}

variant! {
    /// The run stopped, or waits and has left memory. Nothing follows.
    Finished("Finished") of Finished {
        /// How: the members of its outcome but for its receipt.
        outcome: Py<PyAny> = |py, held| outcome::summary(py, held)?;
    }
}
