//! Triggers: kept with their table.

use sqlparser::ast::{
    CreateTrigger, DropTrigger, TriggerEvent, TriggerObject, TriggerObjectKind, TriggerPeriod,
};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Table, TableKind, TableName, Trigger};

use super::names::{ident, table_name};
use super::{fault, no_such_table};

pub(super) fn create(catalog: &mut Catalog, create: &CreateTrigger) -> Result<()> {
    let table = table_name(&create.table_name);
    let trigger = trigger(create)?;
    let known = catalog.tables.get_mut(&table).ok_or_else(|| no_such_table(&table))?;
    let instead = create.period == Some(TriggerPeriod::InsteadOf);
    if instead != matches!(known.kind, TableKind::View { .. }) {
        let (what, when) = if instead { ("table", "INSTEAD OF") } else { ("view", "BEFORE or AFTER") };
        let text = format!("\"{}\" is a {what}: it has no row-level {when} triggers", table.name);
        return Err(fault("42809", text));
    }
    let place = known.triggers.iter().position(|one| one.name == trigger.name);
    match place {
        Some(place) if create.or_replace => known.triggers[place] = trigger,
        Some(_) => {
            let text = format!("trigger \"{}\" for relation \"{}\" already exists", trigger.name, table.name);
            return Err(fault("42710", text));
        }
        None => known.triggers.push(trigger),
    }
    // PostgreSQL fires them by name.
    known.triggers.sort_by(|a, b| a.name.cmp(&b.name));
    writable(catalog, &table);
    Ok(())
}

fn trigger(create: &CreateTrigger) -> Result<Trigger> {
    let name = table_name(&create.name).name;
    let refuse =
        |what: &str| Err(Error::unsupported(format!("trigger {name}: {what} runs on PostgreSQL only")));
    let before = match create.period {
        Some(TriggerPeriod::Before | TriggerPeriod::InsteadOf) => true,
        Some(TriggerPeriod::After) => false,
        _ => return refuse("this kind of trigger"),
    };
    let for_rows = matches!(
        create.trigger_object,
        Some(TriggerObjectKind::For(TriggerObject::Row) | TriggerObjectKind::ForEach(TriggerObject::Row))
    );
    if !for_rows {
        return refuse("what is not \"for each row\"");
    }
    if create.is_constraint || !create.referencing.is_empty() {
        return refuse("this kind of trigger");
    }
    let (mut events, mut columns) = (Vec::new(), Vec::new());
    for event in &create.events {
        events.push(match event {
            TriggerEvent::Insert => "insert".to_owned(),
            TriggerEvent::Delete => "delete".to_owned(),
            TriggerEvent::Update(of) => {
                columns.extend(of.iter().map(ident));
                "update".to_owned()
            }
            TriggerEvent::Truncate => return refuse("on truncate"),
        });
    }
    let Some(body) = &create.exec_body else { return refuse("what calls no function") };
    let arguments = body.func_desc.args.iter().flatten();
    Ok(Trigger {
        before,
        events,
        columns,
        condition: create.condition.as_ref().map(ToString::to_string),
        function: table_name(&body.func_desc.name),
        arguments: arguments.map(|argument| argument.to_string().trim_matches('\'').to_owned()).collect(),
        name,
    })
}

pub(super) fn drop(catalog: &mut Catalog, drop: &DropTrigger) -> Result<()> {
    let name = table_name(&drop.trigger_name).name;
    let table: TableName = drop.table_name.as_ref().map(table_name).unwrap_or_else(|| TableName::public(""));
    let Some(known) = catalog.tables.get_mut(&table) else {
        return if drop.if_exists { Ok(()) } else { Err(no_such_table(&table)) };
    };
    let before = known.triggers.len();
    known.triggers.retain(|trigger| trigger.name != name);
    if known.triggers.len() == before && !drop.if_exists {
        return Err(fault(
            "42704",
            format!("trigger \"{name}\" for table \"{}\" does not exist", table.name),
        ));
    }
    writable(catalog, &table);
    Ok(())
}

/// Notes how a view can be written: to the table that it shows, or by its triggers.
pub(super) fn writable(catalog: &mut Catalog, view: &TableName) {
    if catalog.table(view).is_none_or(Table::is_materialized) {
        return;
    }
    let through = crate::updatable::base(catalog, view).is_some();
    let Some(table) = catalog.tables.get_mut(view) else { return };
    let by =
        |event: &str| through || table.triggers.iter().any(|one| one.events.iter().any(|on| on == event));
    let can = (by("insert"), by("update"), by("delete"));
    if let TableKind::View { insertable, updatable, deletable, .. } = &mut table.kind {
        (*insertable, *updatable, *deletable) = can;
    }
}
