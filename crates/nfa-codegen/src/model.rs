//! What both languages are written from: named types with their documentation, read from JSON Schemas.

/// A type as it stands in JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Any JSON value.
    Any,
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// One certain text.
    Literal(String),
    /// An array.
    List(Box<Shape>),
    /// An object whose values are alike.
    Map(Box<Shape>),
    /// A named type.
    Named(String),
    /// One of several.
    Union(Vec<Shape>),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in JSON.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// Whether it is always there.
    pub required: bool,
    /// Its type.
    pub shape: Shape,
}

/// One arm of a tagged union.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The name of its own type.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// The named object whose members it has as well.
    pub extends: Option<String>,
    /// Its members, the tag first; those that all variants share are not among them.
    pub fields: Vec<Field>,
}

/// What a named type is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Another name for a shape.
    Alias(Shape),
    /// One of several texts, each with what it means.
    Words(Vec<(String, String)>),
    /// An object.
    Object(Vec<Field>),
    /// Objects that a member tells apart.
    Tagged {
        /// Members of every variant, besides their own.
        shared: Vec<Field>,
        /// The arms.
        variants: Vec<Variant>,
    },
}

/// A named type.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// What it looks like.
    pub kind: Kind,
}

/// The types of both directions together. Where one name has two shapes, the one that nfa reads is called
/// `NameInput`.
pub fn merged(written: Vec<Definition>, read: Vec<Definition>) -> Vec<Definition> {
    let find = |name: &str| written.iter().find(|one| one.name == name);
    let mut differs: Vec<String> = Vec::new();
    loop {
        let more: Vec<String> = read
            .iter()
            .filter(|one| !differs.contains(&one.name) && find(&one.name).is_some())
            .filter(|one| {
                let mut renamed = (*one).clone();
                rename(&mut renamed, &differs);
                find(&one.name) != Some(&renamed)
            })
            .map(|one| one.name.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        differs.extend(more);
    }
    let mut all = written.clone();
    for mut definition in read {
        let is_new = find(&definition.name).is_none() || differs.contains(&definition.name);
        rename(&mut definition, &differs);
        if is_new {
            all.push(definition);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn rename(definition: &mut Definition, names: &[String]) {
    let rename_one = |name: &mut String| {
        if names.contains(name) {
            name.push_str("Input");
        }
    };
    rename_one(&mut definition.name);
    match &mut definition.kind {
        Kind::Words(_) => {}
        Kind::Alias(shape) => rename_in(shape, &rename_one),
        Kind::Object(fields) => fields
            .iter_mut()
            .for_each(|field| rename_in(&mut field.shape, &rename_one)),
        Kind::Tagged { shared, variants } => {
            shared
                .iter_mut()
                .for_each(|field| rename_in(&mut field.shape, &rename_one));
            for variant in variants {
                // Its name ends with that of the union.
                if definition.name.ends_with("Input") {
                    variant.name.push_str("Input");
                }
                variant.extends.iter_mut().for_each(rename_one);
                variant
                    .fields
                    .iter_mut()
                    .for_each(|field| rename_in(&mut field.shape, &rename_one));
            }
        }
    }
}

fn rename_in(shape: &mut Shape, rename_one: &impl Fn(&mut String)) {
    match shape {
        Shape::Named(name) => rename_one(name),
        Shape::List(inner) | Shape::Map(inner) => rename_in(inner, rename_one),
        Shape::Union(arms) => arms.iter_mut().for_each(|arm| rename_in(arm, rename_one)),
        _ => {}
    }
}
