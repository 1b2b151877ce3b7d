//! Which of the overloads of a function a call means, as PostgREST chooses.

use std::collections::BTreeSet;

use truststream_kernel::{Body, Error, ErrorKind, Result};
use truststream_services::database::{
    Arguments, Catalog, Filter, Function, Invoke, NamedArgument, Parameter, Query,
};

use crate::closest::{closest, misspelt};
use crate::payload::Payload;

/// The function that a call means, and what to take of its result.
#[derive(Clone, Debug)]
pub struct Callable<'s> {
    /// The function.
    pub function: &'s Function,
    /// What is asked of its result: what of the arguments is no parameter is a filter.
    pub query: Query,
}

impl<'s> Callable<'s> {
    /// Finds the function.
    ///
    /// # Errors
    /// PGRST202 if there is none with these parameters, PGRST203 if there are several.
    pub fn find(catalog: &'s Catalog, op: &Invoke) -> Result<Self> {
        Callable::find_for(catalog, op, None)
    }

    /// The same where the keys of a JSON body are known already.
    ///
    /// # Errors
    /// Those of [`Callable::find`].
    pub fn find_for(catalog: &'s Catalog, op: &Invoke, keys: Option<BTreeSet<String>>) -> Result<Self> {
        let function = function(catalog, op, keys)?;
        let mut query = op.query.clone();
        if let Arguments::Named(named) = &op.arguments {
            for filter in named.iter().filter_map(|argument| filter_of(function, argument)) {
                query.and(filter);
            }
        }
        Ok(Callable { function, query })
    }

    /// Refuses a call that its caller may not make, or that asks how many rows it may affect of a function that
    /// returns one value. No role may call everything.
    ///
    /// # Errors
    /// 42501 and PGRST128.
    pub fn check(&self, op: &Invoke, role: Option<&str>) -> Result<()> {
        if role.is_some_and(|role| !self.function.is_open_to(role)) {
            let message = format!("permission denied for function {}", self.function.name.name);
            return Err(Error::permission_denied(message));
        }
        if op.transaction.max_affected.is_some() && !self.function.returns.set {
            let message = "Function must return SETOF or TABLE when max-affected preference is used with handling=strict";
            return Err(Error::new(ErrorKind::InvalidInput, "PGRST128", message));
        }
        Ok(())
    }

    /// Whether it runs in a read-only transaction.
    pub fn reads_only(&self, op: &Invoke) -> bool {
        op.read_only || self.function.reads_only
    }
}

fn filter_of(function: &Function, argument: &NamedArgument) -> Option<Filter> {
    let parameter = function.parameters.iter().any(|parameter| parameter.name == argument.name);
    let filter = argument.filter.clone()?;
    (!parameter || !is_value(argument)).then_some(filter)
}

/// The one function whose parameters fit.
fn function<'s>(catalog: &'s Catalog, op: &Invoke, known: Option<BTreeSet<String>>) -> Result<&'s Function> {
    let overloads: Vec<&Function> =
        catalog.functions.iter().filter(|one| one.name == op.function && one.is_callable()).collect();
    let keys = known.map_or_else(|| keys(op), Ok)?;
    let mut fitting = matching(&overloads, op, &keys);
    if fitting.is_empty()
        && let Arguments::Named(named) = &op.arguments
    {
        // What reads as a filter may be a value after all.
        let all: BTreeSet<String> = named.iter().map(|argument| argument.name.clone()).collect();
        fitting = matching(&overloads, op, &all);
    }
    if fitting.is_empty() {
        fitting = overloads.iter().copied().filter(|function| takes_body(function, op)).collect();
    }
    match fitting[..] {
        [one] => Ok(one),
        [] => Err(not_found(catalog, op, &keys, &overloads)),
        _ => Err(ambiguous(&fitting)),
    }
}

fn matching<'s>(overloads: &[&'s Function], op: &Invoke, keys: &BTreeSet<String>) -> Vec<&'s Function> {
    let raw = matches!(op.arguments, Arguments::Raw { .. });
    overloads.iter().copied().filter(|function| fits(function, keys) && !(raw && keys.is_empty())).collect()
}

/// All required parameters are given, and nothing that is no parameter.
fn fits(function: &Function, keys: &BTreeSet<String>) -> bool {
    let named = |key: &String| function.parameters.iter().any(|parameter| parameter.name == *key);
    let given = |parameter: &Parameter| !parameter.required || keys.contains(&parameter.name);
    keys.iter().all(named) && function.parameters.iter().all(given)
}

/// It has one unnamed parameter that takes the whole body.
fn takes_body(function: &Function, op: &Invoke) -> bool {
    let [parameter] = &function.parameters[..] else { return false };
    let ty = parameter.type_name.as_str();
    parameter.name.is_empty()
        && match &op.arguments {
            Arguments::Json(_) => ty == "json" || ty == "jsonb",
            Arguments::Raw { media_type, .. } => Some(ty) == raw_type(media_type),
            Arguments::Named(_) => false,
        }
}

fn raw_type(media_type: &str) -> Option<&'static str> {
    match media_type {
        "text/plain" => Some("text"),
        "text/xml" => Some("xml"),
        "application/octet-stream" => Some("bytea"),
        _ => None,
    }
}

fn keys(op: &Invoke) -> Result<BTreeSet<String>> {
    match &op.arguments {
        Arguments::Json(body) => keys_of(body),
        Arguments::Named(named) => Ok(named
            .iter()
            .filter(|argument| is_value(argument))
            .map(|argument| argument.name.clone())
            .collect()),
        Arguments::Raw { .. } => Ok(BTreeSet::new()),
    }
}

/// It does not read as a filter.
fn is_value(argument: &NamedArgument) -> bool {
    argument.filter.is_none()
}

/// The keys of a JSON body; none if it is no object.
///
/// # Errors
/// PGRST102 for what is not JSON.
pub fn keys_of(body: &Body) -> Result<BTreeSet<String>> {
    let Some(body) = body.in_memory() else {
        let scanned = Payload::scan(body.reader())?;
        return Ok(scanned.alike().map(|payload| payload.columns.into_iter().collect()).unwrap_or_default());
    };
    if body.trim_ascii().is_empty() {
        return Ok(BTreeSet::new());
    }
    Payload::check(body)?;
    Ok(Payload::read(body).map(|payload| payload.columns.into_iter().collect()).unwrap_or_default())
}

/// All values given for a parameter, in order.
pub fn values_of(named: &[NamedArgument], parameter: &Parameter) -> Vec<String> {
    let same = |argument: &&NamedArgument| argument.name == parameter.name;
    let values: Vec<&NamedArgument> = named.iter().filter(same).collect();
    let plain: Vec<String> =
        values.iter().filter(|argument| is_value(argument)).map(|argument| argument.value.clone()).collect();
    if plain.is_empty() && parameter.required {
        return values.iter().map(|argument| argument.value.clone()).collect();
    }
    plain
}

fn ambiguous(fitting: &[&Function]) -> Error {
    let candidates: Vec<String> = fitting
        .iter()
        .map(|function| {
            let parameters: Vec<String> = function
                .parameters
                .iter()
                .map(|parameter| format!("{} => {}", parameter.name, parameter.type_name))
                .collect();
            format!("{}({})", function.name, parameters.join(", "))
        })
        .collect();
    Error::new(
        ErrorKind::InvalidInput,
        "PGRST203",
        format!("Could not choose the best candidate function between: {}", candidates.join(", ")),
    )
    .with_hint(
        "Try renaming the parameters or the function itself in the database so function overloading can be \
         resolved",
    )
}

fn not_found(catalog: &Catalog, op: &Invoke, keys: &BTreeSet<String>, overloads: &[&Function]) -> Error {
    let name = &op.function;
    let listed = keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let raw = match &op.arguments {
        Arguments::Raw { media_type, .. } => raw_type(media_type),
        _ => None,
    };
    let message = match (raw, keys.is_empty()) {
        (Some(_), _) => String::new(),
        (None, true) => " without parameters".to_owned(),
        (None, false) => format!("({listed})"),
    };
    let with = match keys.len() {
        0 => " without parameters".to_owned(),
        1 => format!(" with parameter {listed}"),
        _ => format!(" with parameters {listed}"),
    };
    let searched = match (raw, &op.arguments) {
        (Some(ty), _) => format!(" with a single unnamed {ty} parameter"),
        (None, Arguments::Json(_)) => format!("{with} or with a single unnamed json/jsonb parameter"),
        (None, _) => with,
    };
    let error = Error::new(
        ErrorKind::NotFound,
        "PGRST202",
        format!("Could not find the function {name}{message} in the schema cache"),
    )
    .with_details(format!(
        "Searched for the function {name}{searched}, but no matches were found in the schema cache."
    ));
    match suggestion(catalog, op, keys, overloads).filter(|_| raw.is_none()) {
        Some(near) => {
            error.with_hint(format!("Perhaps you meant to call the function {}.{near}", name.schema))
        }
        None => error,
    }
}

fn suggestion(
    catalog: &Catalog,
    op: &Invoke,
    keys: &BTreeSet<String>,
    overloads: &[&Function],
) -> Option<String> {
    if overloads.is_empty() {
        let callable = catalog.functions.iter().filter(|other| other.is_callable());
        let in_schema = callable.filter(|other| other.name.schema == op.function.schema);
        return misspelt(in_schema.map(|other| other.name.name.as_str()), &op.function.name)
            .map(str::to_owned);
    }
    let list = |names: BTreeSet<&str>| format!("({})", names.into_iter().collect::<Vec<_>>().join(", "));
    let known: Vec<String> = overloads
        .iter()
        .map(|function| list(function.parameters.iter().map(|parameter| parameter.name.as_str()).collect()))
        .collect();
    let wanted = list(keys.iter().map(String::as_str).collect());
    let near = closest(known.iter().map(String::as_str), &wanted)?;
    Some(format!("{}{near}", op.function.name))
}
