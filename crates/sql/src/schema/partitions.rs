//! Tables that are divided, and their partitions: the rows are kept together, a partition is a name for a
//! part of them.

use std::cmp::Ordering;

use sqlparser::ast::{
    AlterTable, AlterTableOperation as Operation, CheckConstraint, CreateTable, Expr, ForValues, FunctionArg,
    FunctionArgExpr, FunctionArguments, PartitionBoundValue, Statement, TableConstraint, UnaryOperator,
};
use sqlparser::tokenizer::Token;
use truststream_kernel::value::decimal;
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::{
    Catalog, Partition, PartitionBound, PartitionBy, Partitioning, Table, TableName,
};

use super::names::{ident, parts, relation_taken, table_name};
use super::own::{Own, Words, unreadable};
use super::{defaults, fault, no_such_table, partition_checks};

/// `partition by range (at)`, after the columns.
pub(super) fn by(name: &TableName, table: &Table, expr: &Expr) -> Result<Partitioning> {
    let refused = || Error::unsupported(format!("\"partition by {expr}\" can't be kept in the catalog"));
    let Expr::Function(function) = expr else { return Err(refused()) };
    let by = match parts(&function.name).join(".").as_str() {
        "range" => PartitionBy::Range,
        "list" => PartitionBy::List,
        "hash" => PartitionBy::Hash,
        _ => return Err(refused()),
    };
    let FunctionArguments::List(list) = &function.args else { return Err(refused()) };
    let column = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))) => Ok(ident(name)),
        other => Err(Error::unsupported(format!("partitions by \"{other}\", which is no column"))),
    };
    let columns = list.args.iter().map(column).collect::<Result<Vec<_>>>()?;
    if let Some(unknown) = columns.iter().find(|column| table.column(column).is_none()) {
        return Err(fault("42703", format!("column \"{unknown}\" named in partition key does not exist")));
    }
    if by != PartitionBy::Hash && columns.len() != 1 {
        return Err(Error::unsupported(format!("table {name}: partitions by several columns")));
    }
    Ok(Partitioning { by, columns, partitions: Vec::new() })
}

/// `create table … partition of …`
pub(super) fn create(catalog: &mut Catalog, create: &CreateTable, parent: &TableName) -> Result<()> {
    let name = table_name(&create.name);
    if catalog.has_relation(&name) {
        if create.if_not_exists {
            return Ok(());
        }
        return Err(fault("42P07", format!("relation \"{}\" already exists", name.name)));
    }
    let checks: Option<Vec<_>> = create.constraints.iter().map(check).collect();
    let refused = || Error::unsupported(format!("{name}: a partition with keys of its own"));
    let checks = checks.ok_or_else(refused)?;
    if !create.columns.is_empty() {
        return Err(Error::unsupported(format!("{name}: a partition with columns of its own")));
    }
    let grants = defaults::of_table(catalog, &name);
    let (_, table, level) = divided(catalog, parent)?;
    let values =
        create.for_values.as_ref().ok_or_else(|| fault("42601", "syntax error at end of input".into()))?;
    let bound = bound(table, level, (&name, values))?;
    let partitioning = create.partition_by.as_ref().map(|by| self::by(&name, table, by)).transpose()?;
    let (row_security, policies) = (false, Vec::new());
    let made = Partition { name: name.clone(), bound, grants, row_security, policies, partitioning };
    insert(catalog, parent, made)?;
    checks.into_iter().try_for_each(|rule| partition_checks::add(catalog, &name, rule))
}

/// The check that a constraint is, if it is one.
fn check(constraint: &TableConstraint) -> Option<&CheckConstraint> {
    match constraint {
        TableConstraint::Check(rule) => Some(rule),
        _ => None,
    }
}

/// Makes a partition of a table, or of a partition that is divided.
pub(super) fn insert(catalog: &mut Catalog, parent: &TableName, partition: Partition) -> Result<()> {
    if relation_taken(catalog, &partition.name.schema, &partition.name.name) {
        return Err(fault("42P07", format!("relation \"{}\" already exists", partition.name.name)));
    }
    let top = catalog.partition(parent).map_or(parent, |(top, _)| top).clone();
    let level = match catalog.tables.get_mut(parent) {
        Some(table) => table.partitioning.as_mut(),
        None => named(catalog, parent).and_then(|one| one.partitioning.as_mut()),
    };
    level.ok_or_else(|| no_such_table(parent))?.partitions.push(partition);
    check_keys(catalog, &top)
}

/// What is divided under a name, a table or a partition: the table that has the rows, and the partitions.
pub(super) fn divided<'c>(
    catalog: &'c Catalog,
    name: &TableName,
) -> Result<(&'c TableName, &'c Table, &'c Partitioning)> {
    let part = catalog.partition(name);
    let (top, table) =
        catalog.tables.get_key_value(part.map_or(name, |(top, _)| top)).ok_or_else(|| no_such_table(name))?;
    let level = part.map_or(&table.partitioning, |(_, one)| &one.partitioning).as_ref();
    let plain = || fault("42P17", format!("\"{}\" is not partitioned", name.name));
    Ok((top, table, level.ok_or_else(plain)?))
}

/// Which rows a new partition is to have.
pub(super) fn bound(
    table: &Table,
    level: &Partitioning,
    (name, values): (&TableName, &ForValues),
) -> Result<PartitionBound> {
    let wrong = |message: &str| Err(fault("42P16", message.to_owned()));
    let column = level.columns.first().and_then(|column| table.column(column));
    let column = column.ok_or_else(|| Error::internal("a table divided by a column that is not there"))?;
    let ty = &column.ty;
    let bound = match (level.by, values) {
        (PartitionBy::Hash, ForValues::Default) => {
            return wrong("a hash-partitioned table may not have a default partition");
        }
        (_, ForValues::Default) => PartitionBound::Default,
        (PartitionBy::List, ForValues::In(values)) => {
            PartitionBound::In(values.iter().map(|value| text(value, ty)).collect::<Result<_>>()?)
        }
        (PartitionBy::Range, ForValues::From { from, to }) => {
            let from = end(from, &PartitionBoundValue::MinValue, ty)?;
            let to = end(to, &PartitionBoundValue::MaxValue, ty)?;
            if let (Some(low), Some(high)) = (&from, &to)
                && order(low, high, ty)? != Ordering::Less
            {
                let message = format!("empty range bound specified for partition \"{}\"", name.name);
                return Err(fault("42P17", message));
            }
            PartitionBound::Range { from, to }
        }
        (PartitionBy::Hash, ForValues::With { modulus, remainder }) if remainder < modulus => {
            PartitionBound::Hash { modulus: *modulus, remainder: *remainder }
        }
        _ => return wrong("invalid bound specification for this kind of partitions"),
    };
    for other in &level.partitions {
        if overlap(&bound, &other.bound, ty)? {
            let (new, old) = (&name.name, &other.name.name);
            let message = match bound {
                PartitionBound::Default => {
                    format!("partition \"{new}\" conflicts with existing default partition \"{old}\"")
                }
                _ => format!("partition \"{new}\" would overlap partition \"{old}\""),
            };
            return Err(fault("42P17", message));
        }
    }
    Ok(bound)
}

/// One end of a range; `None` where it is open.
fn end(values: &[PartitionBoundValue], open: &PartitionBoundValue, ty: &Type) -> Result<Option<String>> {
    match values {
        [only] if only == open => Ok(None),
        [PartitionBoundValue::Expr(value)] => {
            let null = || fault("42P16", "cannot specify NULL in range bound".into());
            let text = text(value, ty)?.ok_or_else(null)?;
            // Refused where engines may have values in another order.
            order(&text, &text, ty)?;
            Ok(Some(text))
        }
        _ => Err(Error::unsupported("these bounds of a partition")),
    }
}

/// A value of a bound in its type's form; `None` for null.
fn text(expr: &Expr, ty: &Type) -> Result<Option<String>> {
    let written = match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => return text(inner, ty),
        Expr::TypedString(typed) => typed.value.clone().into_string(),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: number } => Some(format!("-{number}")),
        Expr::Value(value) => match &value.value {
            sqlparser::ast::Value::Null => return Ok(None),
            sqlparser::ast::Value::Number(digits, _) => Some(digits.clone()),
            sqlparser::ast::Value::Boolean(value) => Some(value.to_string()),
            other => other.clone().into_string(),
        },
        _ => None,
    };
    let Some(written) = written else {
        return Err(Error::unsupported(format!("a bound of a partition that is no constant: {expr}")));
    };
    Ok(Value::parse(ty, &written)?.to_text_as(ty))
}

fn overlap(one: &PartitionBound, other: &PartitionBound, ty: &Type) -> Result<bool> {
    use PartitionBound::{Default, Hash, In, Range};
    // A range that ends at or before the other one begins.
    let before = |to: &Option<String>, from: &Option<String>| match (to, from) {
        (Some(to), Some(from)) => order(to, from, ty).map(|order| order != Ordering::Greater),
        _ => Ok(false),
    };
    Ok(match (one, other) {
        (Default, Default) => true,
        (In(values), In(others)) => values.iter().any(|value| others.contains(value)),
        (Range { from, to }, Range { from: start, to: end }) => !before(to, start)? && !before(end, from)?,
        (Hash { modulus, remainder }, Hash { modulus: other, remainder: left }) => {
            let least = *modulus.min(other);
            remainder % least == left % least
        }
        _ => false,
    })
}

/// How two values of a type stand to one another, where every engine has them so.
fn order(one: &str, other: &str, ty: &Type) -> Result<Ordering> {
    match (Value::parse(ty, one)?, Value::parse(ty, other)?) {
        (Value::Int(one), Value::Int(other))
        | (Value::Timestamptz(one), Value::Timestamptz(other))
        | (Value::Timestamp(one), Value::Timestamp(other)) => Ok(one.cmp(&other)),
        (Value::Date(one), Value::Date(other)) => Ok(one.cmp(&other)),
        (Value::Decimal(one), Value::Decimal(other)) => Ok(decimal::compare(&one, &other)),
        _ => Err(Error::unsupported(format!("partitions by ranges of type {ty}"))),
    }
}

/// Whether a key of a divided table has all columns that rows are divided by, as PostgreSQL demands.
pub(super) fn check_keys(catalog: &Catalog, name: &TableName) -> Result<()> {
    let Some(table) = catalog.table(name) else { return Ok(()) };
    let Some(partitioning) = &table.partitioning else { return Ok(()) };
    let primary = Some(&table.primary_key).filter(|key| !key.is_empty());
    let unique = table.unique_keys.iter().map(|key| &key.columns);
    let deciding = table.columns.iter().map(|column| &column.name).filter(|name| partitioning.goes_by(name));
    let deciding: Vec<_> = deciding.collect();
    let lacks = |key: &Vec<String>| deciding.iter().any(|column| !key.contains(column));
    if primary.into_iter().chain(unique).any(lacks) {
        let message = "unique constraint on partitioned table must include all partitioning columns";
        return Err(Error::unsupported(message));
    }
    Ok(())
}

/// A statement about a partition by its name: whether it changes nothing here.
///
/// # Errors
/// 0A000 for rules that one partition would have and others not.
pub(super) fn concerns(catalog: &mut Catalog, statement: &Statement) -> Result<bool> {
    let (name, what) = match statement {
        Statement::AlterTable(alter) => return altered(catalog, alter),
        Statement::CreateIndex(index) if !index.unique => {
            return Ok(catalog.partition(&table_name(&index.table_name)).is_some());
        }
        Statement::CreateIndex(index) => (&index.table_name, "a unique index"),
        Statement::CreateTrigger(trigger) => (&trigger.table_name, "a trigger"),
        Statement::Comment { object_name, object_type: sqlparser::ast::CommentObject::Table, .. } => {
            return Ok(catalog.partition(&table_name(object_name)).is_some());
        }
        _ => return Ok(false),
    };
    refused(catalog, &table_name(name), what).map(|()| false)
}

fn refused(catalog: &Catalog, name: &TableName, what: &str) -> Result<()> {
    match catalog.partition(name) {
        Some((table, _)) => {
            let message =
                format!("{what} of partition {name} alone runs on PostgreSQL only: give it to {table}");
            Err(Error::unsupported(message))
        }
        None => Ok(()),
    }
}

fn altered(catalog: &mut Catalog, alter: &AlterTable) -> Result<bool> {
    let name = table_name(&alter.name);
    if catalog.partition(&name).is_none() {
        return Ok(false);
    }
    for operation in &alter.operations {
        let secure = match operation {
            Operation::OwnerTo { .. }
            | Operation::ForceRowLevelSecurity
            | Operation::ValidateConstraint { .. }
            | Operation::NoForceRowLevelSecurity => {
                continue;
            }
            Operation::AddConstraint { constraint: TableConstraint::Check(rule), .. } => {
                partition_checks::add(catalog, &name, rule)?;
                continue;
            }
            Operation::DropConstraint { if_exists, name: constraint, .. } => {
                partition_checks::drop(catalog, &name, &ident(constraint), *if_exists)?;
                continue;
            }
            Operation::EnableRowLevelSecurity => true,
            Operation::DisableRowLevelSecurity => false,
            other => {
                refused(catalog, &name, &format!("\"{other}\""))?;
                continue;
            }
        };
        if let Some(partition) = named(catalog, &name) {
            partition.row_security = secure;
        }
    }
    Ok(true)
}

/// A partition by name.
pub(super) fn named<'c>(catalog: &'c mut Catalog, name: &TableName) -> Option<&'c mut Partition> {
    let mut divided = catalog.tables.values_mut().filter_map(|table| table.partitioning.as_mut());
    divided.find_map(|known| known.find_mut(name))
}

/// Drops a partition with its rows; whether there is one of the name.
pub(super) fn drop(catalog: &mut Catalog, name: &TableName) -> bool {
    let taken = |table: &mut Table| {
        let found = table.partitioning.as_mut().is_some_and(|known| take(known, name).is_some());
        if found {
            partition_checks::sweep(table);
        }
        found
    };
    catalog.tables.values_mut().any(taken)
}

/// Takes a partition out, on whatever level it is.
pub(super) fn take(level: &mut Partitioning, name: &TableName) -> Option<Partition> {
    if let Some(at) = level.partitions.iter().position(|one| one.name == *name) {
        return Some(level.partitions.remove(at));
    }
    let mut within = level.partitions.iter_mut().filter_map(|one| one.partitioning.as_mut());
    within.find_map(|known| take(known, name))
}

/// `alter table [only] … attach partition … {for values … | default}`, `… detach partition …`, and
/// `alter index … attach partition …`, which says what follows from the tables.
pub(super) fn read(words: &mut Words<'_>, index: bool) -> Option<Result<Own, String>> {
    words.skip(&["if", "exists"]);
    words.take("only");
    let parent = words.relation()?;
    if words.skip(&["detach", "partition"]) {
        let name = words.relation()?;
        // PostgreSQL takes the words behind it outside of transactions only, which migrations are.
        let whole = words.peek().is_none_or(|token| *token == Token::SemiColon);
        return Some(if whole { Ok(Own::Detach { parent, name }) } else { Err(unreadable("\"detach\"")) });
    }
    if !words.skip(&["attach", "partition"]) {
        return None;
    }
    let name = words.relation()?;
    if index {
        return Some(Ok(Own::AttachIndex));
    }
    let sql = format!("create table t partition of p {}", words.rest());
    let values = match super::parse_one(&sql) {
        Ok(Statement::CreateTable(create)) => create.for_values,
        _ => None,
    };
    Some(values.map(|values| Own::Attach { parent, name, values }).ok_or_else(|| unreadable("partition")))
}
