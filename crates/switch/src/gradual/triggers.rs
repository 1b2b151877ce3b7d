//! The catalog of a source with its triggers: an engine that fires them itself does not tell of them
//! where requests are planned.

use truststream_kernel::{ErrorKind, Result};
use truststream_services::database::{
    Catalog, Describe, Function, Introspect, Introspection, TableName, Trigger,
};

use crate::Side;

/// All of a source's schema.
///
/// # Errors
/// `Unsupported` when a database does not tell what it fires itself.
pub(super) async fn whole_schema(source: &Side) -> Result<Catalog> {
    let catalog = source.database.send(Describe { fresh: true }).await?;
    let found = source.database.send(Introspect { sample: Some(1) }).await?;
    Ok(with_triggers(Catalog::clone(&catalog), &found))
}

/// What is known of a source's schema.
pub(super) async fn schema(source: &Side) -> Result<Catalog> {
    match whole_schema(source).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let catalog = source.database.send(Describe { fresh: true }).await?;
            Ok(Catalog::clone(&catalog))
        }
        schema => schema,
    }
}

/// Adds triggers that were found, and what they call.
fn with_triggers(mut catalog: Catalog, found: &Introspection) -> Catalog {
    let called: Vec<_> = found.definitions.values().filter_map(|text| function(found, text)).collect();
    for (name, table) in &found.catalog.tables {
        let Some(known) = catalog.tables.get_mut(name) else { continue };
        for trigger in &table.triggers {
            if known.triggers.iter().any(|one| one.name == trigger.name) {
                continue;
            }
            let text = found.definitions.get(&format!("trigger {name}.{}", trigger.name));
            let calls = text.and_then(|text| text.split("EXECUTE FUNCTION ").nth(1)).unwrap_or_default();
            let of = |function: &&Function| is_called(&function.name, calls);
            let names: Vec<_> = called.iter().filter(of).map(|function| function.name.clone()).collect();
            // One of a name that is not found calls what is the engine's.
            let names = if names.is_empty() { vec![TableName::public("")] } else { names };
            known.triggers.extend(names.into_iter().map(|function| Trigger { function, ..trigger.clone() }));
        }
    }
    let is_new = |one: &Function| !catalog.functions.iter().any(|known| known.name == one.name);
    let new: Vec<_> = called.into_iter().filter(is_new).collect();
    catalog.functions.extend(new);
    catalog
}

/// The function of triggers that a text defines.
fn function(found: &Introspection, text: &str) -> Option<Function> {
    let (head, _) = text.split_once("RETURNS trigger")?;
    let header = head.split_once("FUNCTION ")?.1;
    let known = found.catalog.functions.iter().find(|one| is_called(&one.name, header))?;
    let mut words = text.split_whitespace().skip_while(|word| *word != "LANGUAGE");
    let language = words.nth(1).unwrap_or_default().to_owned();
    Some(Function { language, body: Some(text.to_owned()), ..known.clone() })
}

/// Whether a text begins with a call of a function, with its schema or without.
fn is_called(name: &TableName, text: &str) -> bool {
    let call = text.split('(').next().unwrap_or_default().replace('"', "");
    call == name.name || call == format!("{}.{}", name.schema, name.name)
}

#[cfg(test)]
mod tests {
    use truststream_services::database::{Returns, Table};

    use super::super::parts::parts;
    use super::*;

    fn trigger() -> Trigger {
        Trigger { name: "audit".into(), ..Trigger::default() }
    }

    fn function() -> Function {
        let returns = Returns { type_name: "trigger of ()".into(), ..Returns::default() };
        Function { name: TableName::public("note_it"), returns, ..Function::default() }
    }

    #[test]
    fn what_a_trigger_writes_to_is_of_the_part_of_its_table() {
        let tables = ["a", "b", "log"].map(|name| (TableName::public(name), Table::default()));
        let catalog = Catalog { tables: tables.into_iter().collect(), ..Catalog::default() };
        let mut found = Introspection { catalog: catalog.clone(), ..Introspection::default() };
        found.catalog.tables[&TableName::public("b")].triggers.push(trigger());
        found.catalog.functions.push(function());
        let define = |key: &str, text: &str| (key.to_owned(), text.to_owned());
        found.definitions.extend([
            define(
                "trigger public.b.audit",
                "CREATE TRIGGER audit AFTER INSERT ON public.b FOR EACH ROW EXECUTE FUNCTION note_it()",
            ),
            define(
                "function public.note_it()",
                "CREATE OR REPLACE FUNCTION public.note_it()\n RETURNS trigger\n LANGUAGE plpgsql\nAS $f$ begin \
                 insert into log values (1); return new; end $f$",
            ),
        ]);
        let tied = with_triggers(catalog, &found);
        let of = |tables: &[&str]| tables.iter().map(|name| TableName::public(*name)).collect::<Vec<_>>();
        let parts: Vec<_> = parts(&tied, &[]).into_iter().map(|part| part.tables).collect();
        assert_eq!(parts, [of(&["a"]), of(&["b", "log"])]);
    }
}
