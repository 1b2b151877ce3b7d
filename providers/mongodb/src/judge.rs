//! Conditions that the engine has nothing for: full-text search, and patterns that it may need more time for
//! than there is. Each value that the rows have is judged here beforehand, and the pipeline asks for those
//! that were found to hold.

use mongodb::bson::{Bson, Document, doc};
use regex::Regex;
use truststream_kernel::value::tsvector::Vector;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{
    Comparison, Field, Filter, FullTextParser, Item, Operand, Operator, PolicyCommand, Query, TableName,
};
use truststream_sql::pattern::compile;
use truststream_sql::text_search::vector::{of_json, of_text};
use truststream_sql::text_search::{Configuration, Query as Search};

use crate::error::unreadable;
use crate::json;
use crate::pattern::is_plain;
use crate::plan::{Place, Plan, Planner, no_operator};
use crate::storage::{self, is_document};
use crate::term::{Term, Want, all, constant, not};
use crate::work::Work;

/// Most bytes of values that one request asks the server for: it takes 16 MiB with all else.
const MOST: usize = 8 << 20;

/// What is asked of each value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    table: TableName,
    field: Field,
    operator: Operator,
    text: String,
}

/// Questions, each with the values that it holds for.
#[derive(Debug, Default)]
pub(crate) struct Judged(Vec<(Question, Vec<Bson>)>);

/// A regular expression in a check, which is judged of each row before the others are: the engine is given
/// the answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The field of the row that the answer goes to.
    pub(crate) field: String,
    /// What is to match, as an expression about the row.
    pub(crate) input: Bson,
    pub(crate) regex: Regex,
}

impl Asked {
    fn answer(&self, found: Option<&Bson>) -> Bson {
        match found {
            Some(Bson::String(text)) => self.regex.is_match(text).into(),
            _ => Bson::Null,
        }
    }
}

/// How a question is answered.
enum Test {
    Search(Configuration, Search),
    Pattern(Regex),
}

/// Whether an operator is judged here, of this operand.
fn is_judged(operator: &Operator, text: &str) -> bool {
    match operator {
        Operator::FullText(..) => true,
        Operator::Match | Operator::Imatch => !is_plain(text),
        _ => false,
    }
}

/// The texts that a comparison is about.
fn operands(comparison: &Comparison) -> Result<Vec<String>> {
    let Operand::Text(text) = &comparison.operand else { return Ok(Vec::new()) };
    if comparison.quantifier.is_none() {
        return Ok(vec![text.clone()]);
    }
    let elements = Value::parse(&Type::Array(Box::new(Type::Text)), text)?;
    let Value::Array(elements) = elements else { return Ok(Vec::new()) };
    Ok(elements.iter().filter_map(Value::to_text).collect())
}

fn comparisons<'q>(filter: &'q Filter, each: &mut impl FnMut(&'q Comparison) -> Result<()>) -> Result<()> {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| comparisons(part, each)),
        Filter::Not(inner) => comparisons(inner, each),
        Filter::Compare(comparison) => each(comparison),
    }
}

/// Whether anything of a query is judged before it is asked.
pub(crate) fn is_needed(query: &Query) -> bool {
    let mut needed = false;
    let mut look = |comparison: &Comparison| {
        // What can't be read is told where it is planned.
        let texts = operands(comparison).unwrap_or_default();
        needed |= texts.iter().any(|text| is_judged(&comparison.operator, text));
        Ok(())
    };
    let _ = query.filter.as_ref().map(|filter| comparisons(filter, &mut look));
    let within = |item: &Item| matches!(item, Item::Embed(embed) if is_needed(&embed.query));
    needed || query.items.iter().any(within)
}

impl Test {
    fn of(question: &Question) -> Result<Self> {
        let text = &question.text;
        match &question.operator {
            Operator::FullText(parser, configuration) => {
                let with = Configuration::named(configuration.as_deref())?;
                let search = match parser {
                    FullTextParser::Raw => Search::raw(&with, text)?,
                    FullTextParser::Plain => Search::plain(&with, text),
                    FullTextParser::Phrase => Search::phrase(&with, text),
                    FullTextParser::Websearch => Search::websearch(&with, text),
                };
                Ok(Test::Search(with, search))
            }
            operator => compile(text, *operator == Operator::Imatch).map(Test::Pattern),
        }
    }

    /// Refuses what PostgreSQL has no such operator of.
    fn check(&self, ty: &Type) -> Result<()> {
        let sign = match self {
            Test::Search(..) => "@@",
            Test::Pattern(_) => "~",
        };
        match (self, ty) {
            (_, Type::Text | Type::Varchar(_) | Type::Char(_)) | (Test::Search(..), Type::Jsonb) => Ok(()),
            (Test::Search(..), ty) if is_document(ty) => Ok(()),
            (Test::Search(..), Type::Json) => {
                Err(Error::unsupported("this database searches in jsonb, not in json"))
            }
            _ => Err(no_operator(sign, ty)),
        }
    }

    fn holds(&self, value: &Bson, ty: &Type) -> Result<bool> {
        Ok(match (self, value, ty) {
            (Test::Search(with, search), value, Type::Jsonb) => {
                search.matches(&of_json(with, &json::text(value))?)
            }
            (Test::Search(_, search), Bson::Document(_), Type::Other(_)) => {
                let text = storage::value(value, ty)?.to_text().unwrap_or_default();
                search.matches(&Vector::parse(&text)?)
            }
            (Test::Search(with, search), Bson::String(text), _) => search.matches(&of_text(with, text)),
            (Test::Pattern(regex), Bson::String(text), _) => regex.is_match(text),
            _ => false,
        })
    }
}

impl Planner<'_> {
    /// What has to be judged before a query can be planned.
    fn questions(&self, table: &TableName, query: &Query, found: &mut Vec<Question>) -> Result<()> {
        if let Some(filter) = &query.filter {
            comparisons(filter, &mut |comparison| {
                let operator = &comparison.operator;
                let texts = operands(comparison)?.into_iter().filter(|text| is_judged(operator, text));
                found.extend(texts.map(|text| Question {
                    table: table.clone(),
                    field: comparison.field.clone(),
                    operator: operator.clone(),
                    text,
                }));
                Ok(())
            })?;
        }
        for item in &query.items {
            if let Item::Embed(embed) = item
                && is_needed(&embed.query)
            {
                let to = self.relationship(table, embed)?.to;
                self.questions(&to, &embed.query, found)?;
            }
        }
        Ok(())
    }

    /// The condition that a value is among those that were found to hold; `None` for what is not judged.
    ///
    /// # Errors
    /// 42883 for a type that has no such operator, 0A000 where nothing was judged beforehand.
    pub(crate) fn judged(
        &self,
        (place, field): (&Place, &Field),
        term: &Term,
        (operator, text): (&Operator, &str),
        want: Want,
    ) -> Result<Option<Bson>> {
        if !is_judged(operator, text) {
            return Ok(None);
        }
        let question = Question {
            table: place.table.clone(),
            field: field.clone(),
            operator: operator.clone(),
            text: text.to_owned(),
        };
        Test::of(&question)?.check(&term.ty)?;
        let known = self.known.and_then(|known| known.0.iter().find(|(one, _)| *one == question));
        let Some((_, values)) = known else {
            return Err(Error::unsupported(
                "this database searches in rows of tables, views and functions only",
            ));
        };
        let within = doc! { "$in": [term.expr.clone(), constant(values.clone())] };
        let mut conditions = term.known_not_null();
        conditions.push(if want == Want::True { within.into() } else { not(within.into()) });
        Ok(Some(all(conditions)))
    }
}

impl Work {
    /// Rows with the answers to what checks ask of them.
    ///
    /// # Errors
    /// Those of computing what is to match.
    pub(crate) async fn answered(&mut self, rows: &[Document], asked: &[Asked]) -> Result<Vec<Document>> {
        let mut answered = rows.to_vec();
        // A column lies in the row; all else the server computes.
        let column =
            |one: &Asked| one.input.as_str().and_then(|path| path.strip_prefix('$')).map(str::to_owned);
        let (there, made): (Vec<&Asked>, Vec<&Asked>) =
            asked.iter().partition(|one| column(one).is_some_and(|name| !name.contains('.')));
        for one in there {
            let name = column(one).unwrap_or_default();
            for row in &mut answered {
                row.insert(&one.field, one.answer(row.get(&name)));
            }
        }
        if made.is_empty() {
            return Ok(answered);
        }
        let mut projection = doc! { "_id": 0 };
        for (at, one) in made.iter().enumerate() {
            projection.insert(format!("f{at}"), doc! { "$ifNull": [one.input.clone(), Bson::Null] });
        }
        let computed = self.evaluated(rows, vec![doc! { "$project": projection }]).await?;
        for (row, found) in answered.iter_mut().zip(&computed) {
            for (at, one) in made.iter().enumerate() {
                row.insert(&one.field, one.answer(found.get(format!("f{at}"))));
            }
        }
        Ok(answered)
    }

    /// Judges what the engine can't, of the rows that the caller may read: those of the table, or those
    /// that a function gave.
    ///
    /// # Errors
    /// Those of wrong searches and patterns, 0A000 where more values hold than one request may name.
    pub(crate) async fn judge(
        &mut self,
        table: &TableName,
        query: &Query,
        rows: Option<&Plan>,
    ) -> Result<()> {
        self.known = Judged::default();
        if !is_needed(query) {
            return Ok(());
        }
        let schema = std::sync::Arc::clone(&self.schema);
        let mut questions = Vec::new();
        self.planner(&schema).questions(table, query, &mut questions)?;
        let mut size = 0;
        for question in questions {
            let test = Test::of(&question)?;
            let (plan, ty) = {
                let given = rows.filter(|_| question.table == *table);
                let mut planner = self.planner(&schema).by_columns(given.is_none());
                let mut plan = match given {
                    Some(rows) => rows.clone(),
                    None => planner.origin(&question.table, PolicyCommand::Select)?,
                };
                let place = Place::of(&question.table);
                let term = planner.term(&place, &question.field, &mut plan.stages)?;
                plan.stages.push(doc! { "$group": { "_id": term.expr } });
                (plan, term.ty)
            };
            test.check(&ty)?;
            let mut values = Vec::new();
            self.each(plan, |found| {
                let Some(value) = found.get("_id").map_err(unreadable)? else { return Ok(()) };
                let value = Bson::try_from(value).map_err(unreadable)?;
                if test.holds(&value, &ty)? {
                    size += value.as_str().map_or_else(|| json::text(&value).len(), str::len);
                    values.push(value);
                }
                if size > MOST {
                    let message = "more texts match than this database takes in one request";
                    return Err(Error::new(ErrorKind::Unsupported, "0A000", message)
                        .with_hint("search for rarer words, or for less at a time"));
                }
                Ok(())
            })
            .await?;
            self.known.0.push((question, values));
        }
        Ok(())
    }
}
