# Every public name of the Python package has a docstring, and so has every public member of its classes.
import inspect
import sys

import nfa_runtime

MEMBERS = (staticmethod, classmethod, property)


def undocumented():
    for name in nfa_runtime.__all__:
        value = getattr(nfa_runtime, name)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        if not value.__doc__:
            yield name
        if inspect.isclass(value):
            for member, held in vars(value).items():
                is_code = inspect.isroutine(held) or isinstance(held, MEMBERS)
                if is_code and not member.startswith("_") and not inspect.getdoc(getattr(value, member)):
                    yield f"{name}.{member}"


missing = list(undocumented())
for name in missing:
    print(f"nfa_runtime.{name} has no docstring", file=sys.stderr)
sys.exit(bool(missing))
