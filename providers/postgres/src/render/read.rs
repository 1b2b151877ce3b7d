//! A node and its embeds as one `SELECT` with lateral joins.

use truststream_kernel::Result;
use truststream_services::database::Link;
use truststream_sql::quote::quote;

use super::fields::{hoisted, order, range, selected};
use super::filter::{Place, equal, filter};
use crate::plan::{Embedded, Node, Selected, Source};
use crate::schema::Schema;
use crate::sql::Sql;

/// What writes and calls return is a common table expression of this name.
pub(super) const RETURNED: &str = "pgrst_source";

/// The whole query of a node; of an embed, correlated with its parent.
pub(super) fn rows<'q>(
    sql: &mut Sql,
    schema: &Schema,
    node: &Node<'q>,
    parent: Option<(&Node<'q>, &Embedded<'q>)>,
) -> Result<()> {
    let hoists = parent.is_some_and(|(_, embedded)| embedded.embed.spread && !embedded.spreads_many());
    sql.push("SELECT ");
    let mut separator = "";
    let everything = [Selected::everything()];
    let items = if node.select.is_empty() && node.embeds.is_empty() { &everything[..] } else { &node.select };
    for item in items {
        sql.push(separator);
        selected(sql, node, item, hoists)?;
        separator = ", ";
    }
    let grouped = !hoists && node.aggregates();
    for embedded in &node.embeds {
        embedded_items(sql, embedded, &mut separator, grouped, hoists)?;
    }
    for column in parent.into_iter().flat_map(|(_, embedded)| &embedded.hidden) {
        sql.push(separator).push(&node.row()).push(".").name(column);
        separator = ", ";
    }
    // What shows nothing has no columns; an embed needs one to be looked for.
    if separator.is_empty() && parent.is_some() {
        sql.push("1");
    }
    from(sql, node, parent);
    for embedded in &node.embeds {
        join(sql, schema, node, embedded)?;
    }
    conditions(sql, Place { schema, node, counting: false }, parent);
    if grouped {
        group_by(sql, node);
    }
    order(sql, node);
    range(sql, node.limit, node.offset);
    Ok(())
}

/// What an embed adds to the select list of its parent.
fn embedded_items(
    sql: &mut Sql,
    embedded: &Embedded<'_>,
    separator: &mut &'static str,
    grouped: bool,
    hoists: bool,
) -> Result<()> {
    let joined = quote(&embedded.joined);
    if embedded.embed.spread {
        for item in embedded.hoisted() {
            sql.push(separator);
            let item =
                if hoists { crate::plan::Hoisted { aggregate: None, alias: None, ..item } } else { item };
            hoisted(sql, &embedded.joined, &item)?;
            *separator = ", ";
        }
        return Ok(());
    }
    if embedded.node.shows_nothing() {
        return Ok(());
    }
    sql.push(separator);
    *separator = ", ";
    // Only jsonb can be grouped by; otherwise the engine's own text passes untouched.
    let comparable = if grouped || sql.documents { "::jsonb" } else { "" };
    if !embedded.hidden.is_empty() {
        let shown: Vec<String> =
            embedded.hoisted().iter().map(|item| format!("{joined}.{}", quote(&item.name))).collect();
        sql.push(&format!(
            "CASE WHEN {joined} IS DISTINCT FROM NULL THEN \
             (SELECT row_to_json(_) FROM (SELECT {}) AS _){comparable} END AS ",
            shown.join(", ")
        ));
    } else if embedded.relationship.to_one {
        sql.push(&format!("row_to_json({joined}.*){comparable} AS "));
    } else {
        sql.push(&format!("COALESCE({joined}.{joined}{comparable}, '[]') AS "));
    }
    sql.name(embedded.embed.name());
    Ok(())
}

fn join(sql: &mut Sql, schema: &Schema, node: &Node<'_>, embedded: &Embedded<'_>) -> Result<()> {
    let joined = quote(&embedded.joined);
    sql.push(if embedded.embed.inner { " INNER JOIN LATERAL (" } else { " LEFT JOIN LATERAL (" });
    if embedded.relationship.to_one {
        rows(sql, schema, &embedded.node, Some((node, embedded)))?;
        sql.push(&format!(") AS {joined} ON TRUE"));
        return Ok(());
    }
    sql.push(&format!("SELECT json_agg({joined}) AS {joined}"));
    if embedded.embed.spread {
        for item in embedded.hoisted() {
            let name = quote(&item.name);
            sql.push(&format!(", COALESCE(json_agg({joined}.{name}), '[]')::jsonb AS {name}"));
        }
    }
    sql.push(" FROM (");
    rows(sql, schema, &embedded.node, Some((node, embedded)))?;
    sql.push(&format!(") AS {joined}) AS {joined} ON "));
    match embedded.embed.inner {
        true => sql.push(&format!("{joined}.{joined} IS NOT NULL")),
        false => sql.push("TRUE"),
    };
    Ok(())
}

/// `FROM …` with the junction table of a many-to-many relationship.
fn from(sql: &mut Sql, node: &Node<'_>, parent: Option<(&Node<'_>, &Embedded<'_>)>) {
    sql.push(" FROM ");
    match parent.map(|(parent, embedded)| (parent, &embedded.relationship.link)) {
        Some((parent, Link::Computed { function })) => {
            let row = quote(parent.alias.as_ref().unwrap_or(&parent.table.name));
            sql.table(function).push(&format!("({row}::")).table(&parent.table).push(")");
        }
        _ => match node.source {
            Source::Table => {
                sql.table(&node.table);
            }
            Source::Returned => {
                sql.push(RETURNED);
            }
        },
    }
    if let Some(alias) = &node.alias {
        sql.push(" AS ").name(alias);
    }
    if let Some((_, embedded)) = parent
        && let Link::Junction { table, .. } = &embedded.relationship.link
    {
        sql.push(", ").table(table).push(" AS ").push(&junction_alias(embedded));
    }
}

fn junction_alias(embedded: &Embedded<'_>) -> String {
    quote(&format!("{}_junction", embedded.joined))
}

/// `WHERE …`: the node's own filter and what ties it to its parent.
fn conditions(sql: &mut Sql, place: Place<'_>, parent: Option<(&Node<'_>, &Embedded<'_>)>) {
    let mut separator = " WHERE ";
    if let Some(condition) = place.node.filter {
        sql.push(separator);
        filter(sql, place, condition);
        separator = " AND ";
    }
    if place.counting {
        for embedded in place.node.embeds.iter().filter(|embedded| embedded.embed.inner) {
            sql.push(separator).push("EXISTS (");
            count_rows(sql, place.schema, &embedded.node, Some((place.node, embedded)));
            sql.push(")");
            separator = " AND ";
        }
    }
    let Some((parent, embedded)) = parent else { return };
    let (row, parent) = (place.node.row(), parent.row());
    let mut tie = |left: (&str, &str), right: (&str, &str)| {
        sql.push(separator);
        equal(sql, left, right);
        separator = " AND ";
    };
    match &embedded.relationship.link {
        Link::Key { columns, .. } => {
            columns.iter().for_each(|(own, other)| tie((&row, other), (&parent, own)));
        }
        Link::Junction { source, target, .. } => {
            let junction = junction_alias(embedded);
            target.1.iter().for_each(|(middle, other)| tie((&row, other), (&junction, middle)));
            source.1.iter().for_each(|(own, middle)| tie((&junction, middle), (&parent, own)));
        }
        Link::Computed { .. } => {}
    }
}

fn group_by(sql: &mut Sql, node: &Node<'_>) {
    let mut separator = " GROUP BY ";
    for item in node.select.iter().filter(|item| item.aggregate.is_none()) {
        sql.push(separator);
        match &item.alias {
            Some(alias) => {
                sql.name(alias);
            }
            None => super::fields::field(sql, node, &item.field),
        }
        separator = ", ";
    }
    for embedded in &node.embeds {
        if !embedded.embed.spread {
            if !embedded.node.shows_nothing() {
                sql.push(separator).name(embedded.embed.name());
                separator = ", ";
            }
            continue;
        }
        for item in embedded.hoisted().iter().filter(|item| item.aggregate.is_none()) {
            sql.push(separator).name(&embedded.joined).push(".").name(&item.name);
            separator = ", ";
        }
    }
}

/// One row for each row that the node matches, whatever is selected of it and how many are wanted.
pub(super) fn count_rows<'q>(
    sql: &mut Sql,
    schema: &Schema,
    node: &Node<'q>,
    parent: Option<(&Node<'q>, &Embedded<'q>)>,
) {
    sql.push("SELECT 1");
    from(sql, node, parent);
    conditions(sql, Place { schema, node, counting: true }, parent);
}
