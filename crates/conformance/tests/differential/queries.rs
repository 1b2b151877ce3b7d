//! Random queries on a random database, and who asks.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use truststream_services::database::{
    Aggregate, AggregateFunction, Comparison, Embed, Field, Filter, Format, FullTextParser, Is, Item,
    JsonKey, JsonStep, Media, Nulls, Operand, Operator, Order, Quantifier, Query,
};

use super::world::{Column, Family, Table, USERS, World};
use super::writes::{Write, plain, write};

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The service itself.
    System,
    /// Someone unknown.
    Anon,
    /// A user and a team.
    User(&'static str, &'static str),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Case {
    /// Who asks.
    pub caller: Caller,
    /// Which table.
    pub table: &'static str,
    /// For what.
    pub query: Query,
    /// Whether the total is asked for.
    pub count: bool,
    /// How the answer is wanted.
    pub how: How,
    /// What is written, where the request is no read.
    pub write: Option<Write>,
}

/// How an answer is wanted.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// In which representation.
    pub format: Format,
    /// In which time zone.
    pub zone: Option<&'static str>,
    /// Of a function that gives the table's rows.
    pub called: bool,
}

impl How {
    /// The options of a command that say so.
    pub fn shown(&self) -> String {
        let stripped = if self.format.strip_nulls { ";nulls=stripped" } else { "" };
        let mut shown = match self.format.media {
            Media::Csv => " -H 'Accept: text/csv'".to_owned(),
            Media::Object => format!(" -H 'Accept: application/vnd.pgrst.object+json{stripped}'"),
            _ if self.format.strip_nulls => {
                format!(" -H 'Accept: application/vnd.pgrst.array+json{stripped}'")
            }
            _ => String::new(),
        };
        if let Some(zone) = self.zone {
            shown.push_str(&format!(" -H 'Prefer: timezone={zone}'"));
        }
        shown
    }
}

/// From, the word for it, to, whether that is one row.
type Embeddable = (&'static str, &'static str, &'static str, bool);

/// What can be embedded in what.
const EMBEDS: &[Embeddable] = &[
    ("parents", "boss:parents!boss_id", "parents", true),
    ("parents", "children!parent_id", "children", false),
    ("children", "parents!parent_id", "parents", true),
    ("children", "other:parents!other_id", "parents", true),
    ("children", "grandchildren", "grandchildren", false),
    ("children", "tags", "tags", false),
    ("grandchildren", "children", "children", true),
    ("tags", "children", "children", false),
    ("tags", "children_tags", "children_tags", false),
    ("children_tags", "children", "children", true),
    ("children", "siblings", "children", false),
    ("children", "guardian", "parents", true),
    ("red_children", "parents", "parents", true),
    ("parents", "red_children", "red_children", false),
    // No such relationship, and one too many.
    ("parents", "tags", "tags", false),
    ("children", "parents", "parents", true),
];

/// Deepest embeds.
const DEEPEST: u32 = 2;

fn text(operator: Operator, literal: &str) -> (Operator, Operand) {
    (operator, Operand::Text(literal.to_owned()))
}

fn operation(kind: &'static super::world::Kind) -> BoxedStrategy<(Operator, Option<Quantifier>, Operand)> {
    use Operator::{
        Adjacent, ContainedBy, Contains, Eq, FullText, Gt, Gte, Ilike, Imatch, In, IsDistinct, Like, Lt, Lte,
        Match, Neq, NotLeft, NotRight, Overlaps, StrictlyLeft, StrictlyRight,
    };
    let literal = select(kind.literals);
    let compared = (select(vec![Eq, Neq, Gt, Gte, Lt, Lte, IsDistinct]), literal.clone())
        .prop_map(|(operator, literal)| (operator, None, Operand::Text(literal.to_owned())));
    let listed = proptest::collection::vec(literal.clone(), 0..3)
        .prop_map(|literals| (In, None, Operand::List(literals.into_iter().map(str::to_owned).collect())));
    let is = select(vec![Is::Null, Is::NotNull, Is::True, Is::False, Is::Unknown])
        .prop_map(|is| (Operator::Is, None, Operand::Is(is)));
    let own: Vec<Operator> = match kind.family {
        Family::Text => vec![Like, Ilike, Match, Imatch, FullText(FullTextParser::Plain, None)],
        Family::Array => vec![Contains, ContainedBy, Overlaps],
        Family::Json => vec![Contains, ContainedBy],
        Family::Range => {
            vec![Contains, ContainedBy, Overlaps, StrictlyLeft, StrictlyRight, NotRight, NotLeft, Adjacent]
        }
        Family::Search => {
            [FullTextParser::Raw, FullTextParser::Plain, FullTextParser::Phrase, FullTextParser::Websearch]
                .map(|parser| FullText(parser, Some("english".to_owned())))
                .to_vec()
        }
        // What a type has not is refused alike.
        Family::Plain | Family::Number | Family::Bool => vec![Contains, Adjacent, Like],
    };
    let special = (select(own), literal).prop_map(|(operator, literal)| {
        let (operator, operand) = text(operator, literal);
        (operator, None, operand)
    });
    let quantified = (
        select(vec![Eq, Gt, Lte]),
        select(vec![Quantifier::Any, Quantifier::All]),
        // PostgreSQL reads these when it compares, so that wrong ones may go unnoticed.
        proptest::collection::vec(select(kind.right()), 0..3),
    )
        .prop_map(|(operator, quantifier, literals)| {
            let quoted: Vec<String> = literals
                .iter()
                .map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
                .collect();
            (operator, Some(quantifier), Operand::Text(format!("{{{}}}", quoted.join(","))))
        });
    let quantifies = !matches!(kind.family, Family::Array);
    prop_oneof![
        4 => compared,
        1 => listed,
        1 => is,
        3 => special.clone(),
        1 => if quantifies { quantified.boxed() } else { special.boxed() },
    ]
    .boxed()
}

fn field(column: &Column) -> BoxedStrategy<Field> {
    let plain = Field::column(&*column.name);
    if column.kind.family != Family::Json {
        return Just(plain).boxed();
    }
    let key = select(vec![
        JsonKey::Key("a".into()),
        JsonKey::Key("b".into()),
        JsonKey::Index(0),
        JsonKey::Index(-1),
    ]);
    let step = (key, any::<bool>()).prop_map(|(key, as_text)| JsonStep { key, as_text });
    let name = column.name.clone();
    prop_oneof![Just(plain), step.prop_map(move |step| Field { name: name.clone(), path: vec![step] })]
        .boxed()
}

fn comparison(table: &Table) -> BoxedStrategy<Filter> {
    let columns = table.columns.clone();
    (0..columns.len())
        .prop_flat_map(move |at| (field(&columns[at]), operation(columns[at].kind)))
        .prop_map(|(field, (operator, quantifier, operand))| {
            Filter::Compare(Comparison { field, operator, quantifier, operand })
        })
        .boxed()
}

fn filter(table: &Table) -> BoxedStrategy<Filter> {
    comparison(table)
        .prop_recursive(2, 4, 2, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
                proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
                inner.prop_map(Filter::negated),
            ]
        })
        .boxed()
}

fn sorted(name: &str) -> Order {
    Order { relation: None, field: Field::column(name), descending: false, nulls: None }
}

/// The columns that make an order of a table's rows a total one.
pub fn keys(table: &str) -> Vec<Order> {
    let names: &[&str] = if table == "children_tags" { &["child_id", "tag_id"] } else { &["id"] };
    names.iter().map(|name| sorted(name)).collect()
}

fn order(table: &Table) -> BoxedStrategy<Vec<Order>> {
    let keys = keys(table.name);
    let nulls = select(vec![None, Some(Nulls::First), Some(Nulls::Last)]);
    let columns = select(table.columns.clone()).prop_flat_map(|column| field(&column));
    let first = (columns, any::<bool>(), nulls).prop_map(|(field, descending, nulls)| Order {
        relation: None,
        field,
        descending,
        nulls,
    });
    proptest::option::of(first).prop_map(move |first| first.into_iter().chain(keys.clone()).collect()).boxed()
}

fn column(table: &Table) -> BoxedStrategy<Item> {
    let casts = select(vec![None, None, None, Some("text"), Some("int")]);
    // Casts that fail for a row may meet the row or not: PostgreSQL casts before it takes a page.
    let safe = |column: &Column| matches!(column.kind.sql, "integer" | "numeric(8,2)" | "boolean");
    (select(table.columns.clone()), casts)
        .prop_flat_map(move |(column, cast)| {
            let cast = cast.filter(|cast| *cast == "text" || safe(&column)).map(str::to_owned);
            field(&column).prop_map(move |field| Item::Column {
                field,
                alias: None,
                cast: cast.clone(),
                aggregate: None,
            })
        })
        .boxed()
}

fn aggregate(table: &Table) -> BoxedStrategy<Item> {
    use AggregateFunction::{Avg, Count, Max, Min, Sum};
    let functions = select(vec![Avg, Count, Max, Min, Sum]);
    let of = (select(table.columns.clone()), functions).prop_map(|(column, function)| Item::Column {
        field: Field::column(column.name),
        alias: Some("aggregated".to_owned()),
        cast: None,
        aggregate: Some(Aggregate { function, cast: None }),
    });
    prop_oneof![of, Just(Item::Count { alias: None, cast: None })].boxed()
}

/// What can be embedded in a table.
fn embeds(world: &World, table: &str) -> Vec<&'static Embeddable> {
    let made = |word: &str| ["siblings", "guardian", "red_children"].contains(&word);
    let has = |(from, word, ..): &&Embeddable| *from == table && (world.functions || !made(word));
    EMBEDS.iter().filter(has).collect()
}

fn embed(world: &Arc<World>, table: &'static str, depth: u32) -> BoxedStrategy<Item> {
    let possible = embeds(world, table);
    let world = Arc::clone(world);
    (select(possible), any::<bool>(), proptest::bool::weighted(0.3))
        .prop_flat_map(move |(&(_, word, to, _), inner, spread)| {
            query(&world, to, depth + 1).prop_map(move |mut query| {
                // A spread `*` names what is beside it once more.
                let beside = depth > 0 || query.items.len() > 1;
                if spread && beside && query.items.contains(&Item::All) {
                    query.items.retain(|item| *item != Item::All);
                    query.items.push(Item::Column {
                        field: Field::column("team"),
                        alias: Some(format!("{to}{depth}")),
                        cast: None,
                        aggregate: None,
                    });
                }
                let (alias, rest) =
                    word.split_once(':').map_or((None, word), |(alias, rest)| (Some(alias), rest));
                let (relation, hint) =
                    rest.split_once('!').map_or((rest, None), |(name, hint)| (name, Some(hint)));
                Item::Embed(Embed {
                    relation: relation.to_owned(),
                    alias: alias.filter(|_| !spread).map(str::to_owned),
                    hint: hint.map(str::to_owned),
                    inner,
                    spread,
                    query,
                })
            })
        })
        .boxed()
}

/// A query with columns, embeds and aggregates; two of the same name are told apart.
fn query(world: &Arc<World>, name: &'static str, depth: u32) -> BoxedStrategy<Query> {
    let mut table = world.tables.iter().find(|table| table.name == name).unwrap().clone();
    if name == "children" && world.functions {
        table.columns.extend([Column::of("caption", "text"), Column::of("place", "integer")]);
    }
    let embeds = match depth < DEEPEST && !embeds(world, name).is_empty() {
        true => proptest::collection::vec(embed(world, name, depth), 0..2).boxed(),
        false => Just(Vec::new()).boxed(),
    };
    let shown = prop_oneof![
        3 => proptest::collection::vec(column(&table), 1..3),
        1 => Just(vec![Item::All]),
        1 => (proptest::collection::vec(column(&table), 0..2), aggregate(&table))
            .prop_map(|(mut items, aggregate)| {
                items.push(aggregate);
                items
            }),
    ];
    let page = (proptest::option::weighted(0.3, 0..5u64), prop_oneof![4 => Just(0), 1 => 0..3u64]);
    let absent = proptest::option::weighted(0.3, select(vec![Is::Null, Is::NotNull]));
    (shown, embeds, proptest::option::of(filter(&table)), order(&table), page, any::<bool>(), absent)
        .prop_map(move |(mut items, embeds, filter, mut order, (limit, offset), related, absent)| {
            order.splice(0..0, by_related(name, &embeds).filter(|_| related));
            let filter = filter.into_iter().chain(absent.and_then(|is| by_absence(&embeds, is)));
            let filter = filter.reduce(|left, right| Filter::And(vec![left, right]));
            items.extend(embeds);
            let mut query = Query { items, filter, order, limit, offset };
            if aggregates(&query) {
                // PostgreSQL can't group by `*` nor by the JSON of what is embedded in a spread.
                query.items.retain(|item| *item != Item::All);
                for item in &mut query.items {
                    if let Item::Embed(Embed { spread: true, query: inner, .. }) = item {
                        inner.items.retain(|item| !matches!(item, Item::Embed(_)));
                    }
                }
            }
            if aggregates(&query) {
                // Groups have no order of their own: all of them are compared.
                query = Query { order: Vec::new(), limit: None, offset: 0, ..query };
            }
            query.items = distinct(query.items, depth);
            query
        })
        .boxed()
}

/// An order by the one row that is embedded, where there is one.
fn by_related(from: &str, embeds: &[Item]) -> Option<Order> {
    let one = |embed: &Embed| {
        let meant = |word: &str| word.split([':', '!']).any(|part| part == embed.relation);
        EMBEDS.iter().any(|(table, word, _, one)| *table == from && meant(word) && *one)
    };
    embeds.iter().find_map(|item| match item {
        Item::Embed(embed) if one(embed) && !embed.spread => {
            Some(Order { relation: Some(embed.name().to_owned()), ..sorted("team") })
        }
        _ => None,
    })
}

/// Whether there is a row of an embed.
fn by_absence(embeds: &[Item], is: Is) -> Option<Filter> {
    embeds.iter().find_map(|item| match item {
        // A spread group is there whatever it is of.
        Item::Embed(embed) if !aggregates(&embed.query) => Some(Filter::Compare(Comparison {
            field: Field::column(embed.name()),
            operator: Operator::Is,
            quantifier: None,
            operand: Operand::Is(is),
        })),
        _ => None,
    })
}

/// Whether rows are grouped, by this query or by what is spread into it.
pub fn aggregates(query: &Query) -> bool {
    query.items.iter().any(|item| match item {
        Item::Count { .. } => true,
        Item::Column { aggregate, .. } => aggregate.is_some(),
        Item::Embed(embed) => embed.spread && aggregates(&embed.query),
        Item::All => false,
    })
}

/// Whether rows are grouped anywhere.
pub fn groups(query: &Query) -> bool {
    let inside = |item: &Item| matches!(item, Item::Embed(embed) if groups(&embed.query));
    aggregates(query) || query.items.iter().any(inside)
}

/// Whether an embed reads a table, however deep.
pub fn reads(embed: &Embed, table: &str) -> bool {
    let table = if table == super::world::VIEW { "children" } else { table };
    let read = match embed.relation.as_str() {
        "guardian" => "parents",
        "siblings" | "red_children" => "children",
        relation => relation,
    };
    let inside = |item: &Item| matches!(item, Item::Embed(inner) if reads(inner, table));
    // Tags and children are tied by a third table.
    let tied = table == "children_tags" && matches!(read, "children" | "tags");
    read == table || tied || embed.query.items.iter().any(inside)
}

/// Columns under names of their own: JSON with a name twice says nothing.
fn distinct(items: Vec<Item>, depth: u32) -> Vec<Item> {
    let mut embedded = Vec::new();
    let mut first = |item: &Item| match item {
        Item::Embed(embed) => {
            let named = embedded.contains(&embed.name().to_owned());
            embedded.push(embed.name().to_owned());
            !named
        }
        _ => true,
    };
    let items: Vec<Item> = items.into_iter().filter(|item| first(item)).collect();
    let renamed = items.into_iter().enumerate().map(|(at, item)| match item {
        Item::Column { field, cast, aggregate, .. } => {
            Item::Column { field, alias: Some(format!("c{depth}{at}")), cast, aggregate }
        }
        other => other,
    });
    renamed.collect()
}

fn how(functions: bool) -> BoxedStrategy<How> {
    let media = prop_oneof![6 => Just(Media::Json), 1 => Just(Media::Csv), 1 => Just(Media::Object)];
    let zone = proptest::option::weighted(0.2, select(vec!["America/New_York", "Asia/Kolkata"]));
    let called = proptest::bool::weighted(if functions { 0.2 } else { 0.0 });
    (media, proptest::bool::weighted(0.1), zone, called)
        .prop_map(|(media, strip_nulls, zone, called)| How {
            format: Format { media, strip_nulls, ..Format::default() },
            zone,
            called,
        })
        .boxed()
}

/// A random request.
pub fn case(world: &Arc<World>) -> BoxedStrategy<Case> {
    let caller = prop_oneof![
        2 => Just(Caller::System),
        1 => Just(Caller::Anon),
        2 => (select(&USERS[..]), select(&["red", "blue"][..])).prop_map(|(user, team)| Caller::User(user, team)),
    ];
    let world = Arc::clone(world);
    let how = how(world.functions);
    (0..world.tables.len(), caller, any::<bool>(), how, proptest::bool::weighted(0.3))
        .prop_flat_map(move |(at, caller, count, how, writes)| {
            let table = &world.tables[at];
            let write = if writes { write(table).prop_map(Some).boxed() } else { Just(None).boxed() };
            let name = table.name;
            (query(&world, name, 0), write).prop_map(move |(query, write)| {
                // Only JSON is read again, to find what is in it in any order.
                let plainly = write.is_some() || (groups(&query) && how.format.media == Media::Csv);
                Case {
                    caller: caller.clone(),
                    table: name,
                    query: if write.is_some() { plain(query, name) } else { query },
                    count,
                    how: if plainly { How::default() } else { how.clone() },
                    write,
                }
            })
        })
        .boxed()
}
