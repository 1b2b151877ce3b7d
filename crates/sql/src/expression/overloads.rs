//! Which of the functions of one name a call means.

use truststream_kernel::Type;
use truststream_services::database::{Catalog, Function, TableName};

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
                Ok(_) => {}
                Err(error) => reason = Some(error),
            }
        }
        match best {
            Some((_, function, terms)) => Ok((function, terms)),
            None => {
                Err(reason
                    .unwrap_or_else(|| Unsupported::new(shown, "this function runs on PostgreSQL only")))
            }
        }
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
