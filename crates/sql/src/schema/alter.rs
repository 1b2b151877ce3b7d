//! `alter table`, `alter index`, `comment on`.

use sqlparser::ast::{
    AlterColumnOperation, AlterIndexOperation, AlterTable, AlterTableOperation as Operation, CommentObject,
    GeneratedAs, Ident, ObjectName, RenameTableNameKind,
};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, Identity, Partition, Partitioning, Table, TableName};

use super::constraints;
use super::create::{add_column, number_serially};
use super::names::{ident, parts, relation_taken, table_name};
use super::type_names::type_of;
use super::{dependents, fault, follow, no_such_column, no_such_table, rename, sequences};

pub(super) fn table(catalog: &mut Catalog, alter: &AlterTable) -> Result<()> {
    let name = table_name(&alter.name);
    if !catalog.tables.contains_key(&name) {
        let owner = |operation: &Operation| matches!(operation, Operation::OwnerTo { .. });
        let of_sequence = sequences::exists(catalog, &name) && alter.operations.iter().all(owner);
        return if alter.if_exists || of_sequence { Ok(()) } else { Err(no_such_table(&name)) };
    }
    for operation in &alter.operations {
        apply(catalog, &name, operation)?;
    }
    Ok(())
}

fn definition<'a>(catalog: &'a mut Catalog, name: &TableName) -> Result<&'a mut Table> {
    catalog.tables.get_mut(name).ok_or_else(|| no_such_table(name))
}

fn apply(catalog: &mut Catalog, name: &TableName, operation: &Operation) -> Result<()> {
    match operation {
        Operation::AddConstraint { constraint, .. } => constraints::add(catalog, name, constraint),
        Operation::AddColumn { if_not_exists, column_def, .. } => {
            let mut table = definition(catalog, name)?.clone();
            if *if_not_exists && table.column(&ident(&column_def.name)).is_some() {
                return Ok(());
            }
            add_column(catalog, name, &mut table, column_def)?;
            *definition(catalog, name)? = table;
            constraints::of_column(catalog, name, column_def)
        }
        Operation::DropColumn { column_names, if_exists, drop_behavior, .. } => {
            let cascade = *drop_behavior == Some(sqlparser::ast::DropBehavior::Cascade);
            let before = catalog.clone();
            for column in column_names.iter().map(ident) {
                if !*if_exists || definition(catalog, name)?.column(&column).is_some() {
                    drop_column(catalog, name, &column, cascade)?;
                }
                let what = format!("column {column} of table {}", name.name);
                dependents::settle(&before, catalog, &what, cascade)?;
            }
            Ok(())
        }
        Operation::DropConstraint { if_exists, name: constraint, .. } => {
            drop_constraint(catalog, name, &ident(constraint), *if_exists)
        }
        Operation::RenameColumn { old_column_name, new_column_name } => {
            rename_column(catalog, name, &ident(old_column_name), &ident(new_column_name))
        }
        Operation::RenameTable { table_name: RenameTableNameKind::To(to) | RenameTableNameKind::As(to) } => {
            rename_table(catalog, name, &table_name(to).name)
        }
        Operation::RenameConstraint { old_name, new_name } => {
            rename_constraint(name, definition(catalog, name)?, &ident(old_name), &ident(new_name))
        }
        Operation::AlterColumn { column_name, op } => alter_column(catalog, name, column_name, op),
        Operation::EnableRowLevelSecurity => {
            definition(catalog, name)?.row_security = true;
            Ok(())
        }
        Operation::DisableRowLevelSecurity => {
            definition(catalog, name)?.row_security = false;
            Ok(())
        }
        // No caller owns a table, so policies bind all of them either way.
        Operation::ForceRowLevelSecurity
        | Operation::NoForceRowLevelSecurity
        | Operation::OwnerTo { .. }
        | Operation::ReplicaIdentity { .. }
        // All rows were looked at when it was added.
        | Operation::ValidateConstraint { .. }
        | Operation::SetLogged => Ok(()),
        other => Err(Error::unsupported(format!("\"alter table … {other}\" runs on PostgreSQL only"))),
    }
}

fn column<'a>(catalog: &'a mut Catalog, table: &TableName, name: &str) -> Result<&'a mut Column> {
    let found = definition(catalog, table)?.columns.iter_mut().find(|column| column.name == name);
    found.ok_or_else(|| no_such_column(name, table))
}

fn alter_column(
    catalog: &mut Catalog,
    table: &TableName,
    name: &Ident,
    operation: &AlterColumnOperation,
) -> Result<()> {
    let name = ident(name);
    let new_type = match operation {
        AlterColumnOperation::SetDataType { data_type, .. } => Some(type_of(catalog, data_type)),
        _ => None,
    };
    if new_type.is_some() {
        refuse_divided(definition(catalog, table)?, table, &name, "alter")?;
    }
    let column = column(catalog, table, &name)?;
    match operation {
        AlterColumnOperation::SetNotNull => column.nullable = false,
        AlterColumnOperation::DropNotNull => column.nullable = true,
        AlterColumnOperation::SetDefault { value } => {
            column.default = Some(value.to_string());
            number_serially(table, column);
        }
        AlterColumnOperation::DropDefault => {
            column.default = None;
            if column.identity == Some(Identity::Serial) {
                column.identity = None;
            }
        }
        AlterColumnOperation::SetDataType { data_type, .. } => {
            if let Some(ty) = new_type {
                column.type_name = match &ty {
                    Type::Enum(_) | Type::Other(_) => data_type.to_string().to_lowercase(),
                    known => known.sql_name(),
                };
                column.ty = ty;
            }
        }
        AlterColumnOperation::AddGenerated { generated_as, sequence_options } => {
            column.identity = Some(match generated_as {
                Some(GeneratedAs::ByDefault) => Identity::ByDefault,
                _ => Identity::Always,
            });
            sequences::keep_options(catalog, table, &name, sequence_options.as_ref());
        }
    }
    Ok(())
}

pub(super) fn drop_column(
    catalog: &mut Catalog,
    table: &TableName,
    column: &str,
    cascade: bool,
) -> Result<()> {
    let known = definition(catalog, table)?;
    if known.column(column).is_none() {
        return Err(no_such_column(column, table));
    }
    refuse_divided(known, table, column, "drop")?;
    let divided = known.partitioning.iter().flat_map(Partitioning::all);
    let own = divided.flat_map(|(_, one)| &one.policies);
    if !cascade && known.policies.iter().chain(own).any(|policy| policy_names(policy, column)) {
        let text =
            format!("cannot drop column {column} of table {} because other objects depend on it", table.name);
        return Err(fault("2BP01", text));
    }
    let has = |columns: &[String]| columns.iter().any(|one| one == column);
    if has(&known.primary_key) {
        known.primary_key.clear();
        known.primary_key_name = None;
    }
    known.unique_keys.retain(|key| !has(&key.columns));
    known.foreign_keys.retain(|key| !has(&key.columns));
    known.checks.retain(|check| !names_column(&check.expression, column));
    known.indexes.retain(|index| {
        let predicate = index.predicate.as_ref().is_some_and(|text| names_column(text, column));
        !predicate && !index.terms.iter().any(|term| names_column(term, column))
    });
    known.policies.retain(|policy| !policy_names(policy, column));
    let mut of_partition = |one: &mut Partition| one.policies.retain(|policy| !policy_names(policy, column));
    known.partitioning.iter_mut().for_each(|divided| divided.each_mut(&mut of_partition));
    known.columns.retain(|candidate| candidate.name != column);
    sequences::sweep(catalog);
    for other in catalog.tables.values_mut() {
        other.foreign_keys.retain(|key| {
            key.references != *table || !key.referenced_columns.iter().any(|one| one == column)
        });
    }
    Ok(())
}

/// Refuses to change a column that rows are divided by.
fn refuse_divided(table: &Table, name: &TableName, column: &str, verb: &str) -> Result<()> {
    if table.partitioning.as_ref().is_some_and(|known| known.goes_by(column)) {
        let message = format!(
            "cannot {verb} column \"{column}\" because it is part of the partition key of relation \"{}\"",
            name.name
        );
        return Err(fault("42P16", message));
    }
    Ok(())
}

fn policy_names(policy: &truststream_services::database::Policy, column: &str) -> bool {
    [&policy.using, &policy.check].into_iter().flatten().any(|text| names_column(text, column))
}

/// Whether an expression has a word that is this column's name.
fn names_column(expression: &str, column: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    expression.match_indices(column).any(|(at, _)| {
        let before = expression[..at].chars().next_back().is_some_and(word);
        let after = expression[at + column.len()..].chars().next().is_some_and(word);
        !before && !after
    })
}

fn drop_constraint(catalog: &mut Catalog, table: &TableName, name: &str, if_exists: bool) -> Result<()> {
    let known = definition(catalog, table)?;
    let before = known.checks.len() + known.foreign_keys.len() + known.unique_keys.len();
    known.checks.retain(|check| check.name != name || check.partition.is_some());
    known.foreign_keys.retain(|key| key.name != name);
    known.unique_keys.retain(|key| key.name != name);
    let mut found = known.checks.len() + known.foreign_keys.len() + known.unique_keys.len() < before;
    if !found && !known.primary_key.is_empty() && name == known.primary_key_name(table) {
        known.primary_key.clear();
        known.primary_key_name = None;
        super::views::inherit_keys(catalog, table);
        found = true;
    }
    if found || if_exists {
        return Ok(());
    }
    let text = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
    Err(fault("42704", text))
}

fn rename_constraint(name: &TableName, table: &mut Table, old: &str, new: &str) -> Result<()> {
    if !table.primary_key.is_empty() && old == table.primary_key_name(name) {
        table.primary_key_name = Some(new.to_owned());
        return Ok(());
    }
    let checks = table.checks.iter_mut().filter(|check| check.partition.is_none());
    let checks = checks.map(|check| &mut check.name);
    let keys = table.foreign_keys.iter_mut().map(|key| &mut key.name);
    let unique = table.unique_keys.iter_mut().map(|key| &mut key.name);
    match checks.chain(keys).chain(unique).find(|name| *name == old) {
        Some(name) => {
            *name = new.to_owned();
            Ok(())
        }
        None => Err(fault("42704", format!("constraint \"{old}\" does not exist"))),
    }
}

fn rename_column(catalog: &mut Catalog, table: &TableName, old: &str, new: &str) -> Result<()> {
    let known = definition(catalog, table)?;
    if known.column(new).is_some() {
        let text = format!("column \"{new}\" of relation \"{}\" already exists", table.name);
        return Err(fault("42701", text));
    }
    column(catalog, table, old)?;
    follow::column(catalog, table, old, new)?;
    rename::column_of(definition(catalog, table)?, old, new);
    for other in catalog.tables.values_mut() {
        for key in other.foreign_keys.iter_mut().filter(|key| key.references == *table) {
            let columns = key.referenced_columns.iter_mut().filter(|name| *name == old);
            columns.for_each(|name| *name = new.to_owned());
        }
    }
    Ok(())
}

pub(super) fn rename_table(catalog: &mut Catalog, old: &TableName, new: &str) -> Result<()> {
    let new = TableName::new(&old.schema, new);
    if relation_taken(catalog, &new.schema, &new.name) {
        return Err(fault("42P07", format!("relation \"{}\" already exists", new.name)));
    }
    follow::table(catalog, old, &new)?;
    let place = catalog.tables.get_index_of(old).ok_or_else(|| no_such_table(old))?;
    if let Some(mut table) = catalog.tables.shift_remove(old) {
        // Constraints keep their names.
        if !table.primary_key.is_empty() {
            table.primary_key_name = Some(table.primary_key_name(old));
        }
        catalog.tables.shift_insert(place, new.clone(), table);
    }
    for key in catalog.tables.values_mut().flat_map(|table| &mut table.foreign_keys) {
        if key.references == *old {
            key.references = new.clone();
        }
    }
    Ok(())
}

pub(super) fn index(catalog: &mut Catalog, name: &ObjectName, operation: &AlterIndexOperation) -> Result<()> {
    let AlterIndexOperation::RenameIndex { index_name } = operation;
    let (old, new) = (table_name(name), table_name(index_name).name);
    let tables = catalog.tables.iter_mut().filter(|(table, _)| table.schema == old.schema);
    let mut indexes = tables.flat_map(|(_, table)| &mut table.indexes);
    match indexes.find(|index| index.name == old.name) {
        Some(index) => {
            index.name = new;
            Ok(())
        }
        None => Err(fault("42704", format!("index \"{}\" does not exist", old.name))),
    }
}

pub(super) fn comment(
    catalog: &mut Catalog,
    kind: CommentObject,
    name: &ObjectName,
    text: Option<String>,
) -> Result<()> {
    match kind {
        CommentObject::Table | CommentObject::View | CommentObject::MaterializedView => {
            definition(catalog, &table_name(name))?.comment = text;
        }
        CommentObject::Column => {
            let mut names = parts(name);
            let name = names.pop().unwrap_or_default();
            let table = names.pop().unwrap_or_default();
            let table = TableName { schema: names.pop().unwrap_or_else(|| "public".into()), name: table };
            column(catalog, &table, &name)?.comment = text;
        }
        CommentObject::Schema => {
            catalog.schemas.insert(parts(name).join("."), text);
        }
        _ => {}
    }
    Ok(())
}
