//! Which of the functions of one name a call means.

use truststream_kernel::Type;
use truststream_services::database::{Catalog, Function, Parameter, TableName};

use super::cast::is_text;
use super::routines::parameter_type;
use super::translate::Translator;
use super::{Term, TermType, Unsupported, parse};

impl<'a> Translator<'a> {
    /// The function that a call means, and its arguments in the order of the parameters.
    pub(super) fn chosen(
        &self,
        name: &TableName,
        arguments: &[(Option<String>, Term)],
        shown: &str,
    ) -> Result<(&'a Function, Vec<Term>), Unsupported> {
        let mut best: Option<(usize, &'a Function, Vec<Term>)> = None;
        let mut reason = None;
        let catalog: &'a Catalog = self.scope.catalog;
        for function in catalog.functions.iter().filter(|function| function.name == *name) {
            match self.placed(function, arguments) {
                Ok((exact, terms)) if best.as_ref().is_none_or(|(other, ..)| exact > *other) => {
                    best = Some((exact, function, terms));
                }
                Ok((exact, _)) => {
                    let equal = best.as_ref().filter(|(other, ..)| exact == *other);
                    if equal.is_some_and(|(_, other, _)| self.takes_alike(function, other)) {
                        let reason =
                            "several functions of this name take this: domains alone tell them apart";
                        return Err(Unsupported::new(shown, reason));
                    }
                }
                Err(error) => reason = Some(error),
            }
        }
        match (best, reason) {
            (Some((_, function, terms)), _) => Ok((function, terms)),
            (None, None) => Err(Unsupported::new(shown, "this function runs on PostgreSQL only")),
            (None, Some(reason)) => Err(match self.is_missing(name, arguments) {
                true => Unsupported {
                    code: Some("42883".into()),
                    ..Unsupported::new(shown, format!("function {name} does not exist for {reason}"))
                },
                false => reason,
            }),
        }
    }

    /// Whether PostgreSQL has no such function either: it casts neither to texts nor from texts by itself.
    fn is_missing(&self, name: &TableName, arguments: &[(Option<String>, Term)]) -> bool {
        let catalog = self.scope.catalog;
        let other = |ty: &Type| matches!(ty, Type::Other(_));
        let misfits = |(parameter, (_, term)): (&Parameter, &(_, Term))| {
            let wanted = parameter_type(catalog, parameter);
            let foreign =
                |given: &Type| is_text(given) != is_text(&wanted) && !other(given) && !other(&wanted);
            term.known().is_some_and(foreign)
        };
        let mut named = catalog.functions.iter().filter(|function| function.name == *name);
        arguments.iter().all(|(name, _)| name.is_none())
            && named.all(|function| {
                function.parameters.len() < arguments.len() && !function.variadic
                    || function.parameters.iter().zip(arguments).any(misfits)
            })
    }

    /// Whether two functions have parameters of the same types, domains taken for the types below.
    fn takes_alike(&self, one: &Function, other: &Function) -> bool {
        let types = |function: &Function| -> Vec<Type> {
            function.parameters.iter().map(|one| parameter_type(self.scope.catalog, one)).collect()
        };
        types(one) == types(other)
    }

    /// Arguments in the places of a function's parameters, and how many fit without a cast.
    fn placed(
        &self,
        function: &Function,
        arguments: &[(Option<String>, Term)],
    ) -> Result<(usize, Vec<Term>), Unsupported> {
        let misfit = || Unsupported::new(&function.name, "no function has these parameters");
        let (mut exact, mut terms, mut used) = (0, Vec::new(), 0);
        for (at, parameter) in function.parameters.iter().enumerate() {
            let ty = parameter_type(self.scope.catalog, parameter);
            let by_name = || arguments.iter().find(|(name, _)| name.as_deref() == Some(&parameter.name));
            let positional = arguments.get(at).filter(|(name, _)| name.is_none());
            if let (true, Type::Array(element)) = (parameter.variadic, &ty) {
                let rest = arguments.get(at..).unwrap_or_default();
                let items = rest.iter().map(|(_, term)| Ok(self.coerced(term.clone(), element)?.sql));
                let items = items.collect::<Result<Vec<_>, Unsupported>>()?;
                used = arguments.len();
                terms.push(Term::new(format!("json_array({})", items.join(", ")), ty));
                continue;
            }
            let term = match positional.or_else(by_name) {
                Some((_, term)) => {
                    used += 1;
                    exact += usize::from(term.known() == Some(&ty));
                    self.coerced(term.clone(), &ty)?
                }
                None => match &parameter.default {
                    Some(default) => Translator::new(&super::Scope::new(self.scope.catalog))
                        .expr(&parse(default)?)
                        .and_then(|term| self.assigned(term, &ty))?,
                    None => return Err(misfit()),
                },
            };
            terms.push(Term { ty: TermType::Known(ty), ..term });
        }
        if used == arguments.len() { Ok((exact, terms)) } else { Err(misfit()) }
    }
}
