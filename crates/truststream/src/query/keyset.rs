//! Pages by the last row seen: stable while rows come and go, and as quick for the last page as for
//! the first.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use truststream_kernel::{Context, Error, Result};
use truststream_services::database::{
    Comparison, Describe, Filter, Is, Item, Media, Nulls, Operand, Operator, Order, Query,
};

use super::read::Rows;
use super::request::Request;
use crate::decode::decode;

/// Beginning of the names under which a page carries what its cursor is made of.
const HIDDEN: &str = "truststream_cursor_";

/// A page of rows, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyset<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<String>,
}

/// The row that a page begins after: its values in the columns of the order.
#[derive(Serialize, Deserialize)]
struct Cursor {
    order: Vec<String>,
    values: Vec<Option<String>>,
}

impl Request<'_, Rows> {
    /// Begins after the row that a cursor ([`Keyset::next`]) tells of.
    pub fn page_after(mut self, cursor: &str) -> Self {
        self.action.after = Some(cursor.to_owned());
        self
    }

    /// A page of at most `limit` rows. The primary key decides among rows that are equal in the
    /// order asked for.
    ///
    /// # Errors
    /// As [`Request::fetch`]; 22023 for a cursor of another order, and for what has no row to go on
    /// from (aggregates, an order by a related row).
    pub async fn page<T: DeserializeOwned>(mut self, limit: u64) -> Result<Keyset<T>> {
        self.check()?;
        let known = self.database.with(Context::system()).send(Describe::default()).await?;
        let key = known.table(&self.target).map(|table| table.primary_key.as_slice()).unwrap_or_default();
        go_on(&self.query, key)?;
        complete(&mut self.query.order, key);
        let order = self.query.order.clone();
        if let Some(cursor) = self.action.after.take() {
            self.query.and(after(&order, &Cursor::read(&cursor, &order)?.values));
        }
        add_hidden(&mut self.query.items, &order);
        self.query.limit = Some(limit.saturating_add(1));
        let page = self.send(Media::Json, None).await?;
        taken(&page.body, usize::try_from(limit).unwrap_or(usize::MAX), &order)
    }
}

/// Whether a page of such rows tells where the next one begins.
///
/// # Errors
/// 22023 for rows without a key, aggregates, an order by a related row.
pub(crate) fn go_on(query: &Query, key: &[String]) -> Result<()> {
    let aggregates =
        |item: &Item| matches!(item, Item::Count { .. } | Item::Column { aggregate: Some(_), .. });
    if query.items.iter().any(aggregates) {
        return Err(Error::invalid_input("pages of aggregates have no row to go on from"));
    }
    if query.order.iter().any(|term| term.relation.is_some()) {
        return Err(Error::invalid_input("pages can't go on in an order by a related row"));
    }
    if key.is_empty() {
        return Err(Error::invalid_input("pages need a primary key, which tells rows apart"));
    }
    Ok(())
}

/// Makes the order decide among all rows.
fn complete(order: &mut Vec<Order>, key: &[String]) {
    for column in key {
        let named = |term: &Order| term.field.path.is_empty() && term.field.name == *column;
        if !order.iter().any(named) {
            let field = truststream_services::database::Field::column(column);
            order.push(Order { relation: None, field, descending: false, nulls: None });
        }
    }
}

fn add_hidden(items: &mut Vec<Item>, order: &[Order]) {
    items.extend(order.iter().enumerate().map(|(index, term)| Item::Column {
        field: term.field.clone(),
        alias: Some(format!("{HIDDEN}{index}")),
        cast: Some("text".to_owned()),
        aggregate: None,
    }));
}

/// The rows of a page of one row too many, without what was added to them.
fn taken<T: DeserializeOwned>(body: &[u8], limit: usize, order: &[Order]) -> Result<Keyset<T>> {
    let mut rows: Vec<IndexMap<String, Box<RawValue>>> = decode(body)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut last = Vec::new();
    for row in &mut rows {
        last = (0..order.len()).map(|index| row.shift_remove(&format!("{HIDDEN}{index}"))).collect();
    }
    let values = last
        .into_iter()
        .map(|value| value.map_or(Ok(None), |text| decode(text.get().as_bytes())))
        .collect::<Result<_>>()?;
    let text = serde_json::to_vec(&rows).map_err(unreadable)?;
    let next = more.then(|| Cursor { order: signature(order), values }.write()).transpose()?;
    Ok(Keyset { rows: decode(&text)?, next })
}

/// The rows that come after one with these values.
fn after(order: &[Order], values: &[Option<String>]) -> Filter {
    let terms: Vec<_> = order.iter().zip(values).collect();
    let cases = terms.iter().enumerate().filter_map(|(index, (term, value))| {
        let beyond = beyond(term, value.as_deref())?;
        let mut all: Vec<_> =
            terms[..index].iter().map(|(term, value)| same(term, value.as_deref())).collect();
        all.push(beyond);
        Some(Filter::And(all))
    });
    Filter::Or(cases.collect())
}

fn same(term: &Order, value: Option<&str>) -> Filter {
    match value {
        Some(value) => compare(term, Operator::Eq, Operand::Text(value.to_owned())),
        None => compare(term, Operator::Is, Operand::Is(Is::Null)),
    }
}

/// Beyond the value in this term alone; `None` if nothing is.
fn beyond(term: &Order, value: Option<&str>) -> Option<Filter> {
    let nulls_last = match term.nulls {
        Some(nulls) => nulls == Nulls::Last,
        None => !term.descending,
    };
    let null = |is| compare(term, Operator::Is, Operand::Is(is));
    match value {
        None => (!nulls_last).then(|| null(Is::NotNull)),
        Some(value) => {
            let operator = if term.descending { Operator::Lt } else { Operator::Gt };
            let further = compare(term, operator, Operand::Text(value.to_owned()));
            Some(if nulls_last { Filter::Or(vec![further, null(Is::Null)]) } else { further })
        }
    }
}

fn compare(term: &Order, operator: Operator, operand: Operand) -> Filter {
    Filter::Compare(Comparison { field: term.field.clone(), operator, quantifier: None, operand })
}

impl Cursor {
    fn read(text: &str, order: &[Order]) -> Result<Self> {
        let wrong = || Error::invalid_input("the cursor is not one of a page in this order");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let fits = cursor.order == signature(order) && cursor.values.len() == order.len();
        if fits { Ok(cursor) } else { Err(wrong()) }
    }

    fn write(&self) -> Result<String> {
        serde_json::to_vec(self).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(unreadable)
    }
}

/// The order as a cursor remembers it.
fn signature(order: &[Order]) -> Vec<String> {
    order
        .iter()
        .map(|term| {
            let Order { field, descending, nulls, .. } = term;
            let nulls = nulls.unwrap_or(if *descending { Nulls::First } else { Nulls::Last });
            let steps: String = field.path.iter().map(|step| format!("->{:?}", step.key)).collect();
            format!("{}{steps} {} {nulls:?}", field.name, if *descending { "desc" } else { "asc" })
        })
        .collect()
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal("a page could not be taken apart").with_source(error)
}
