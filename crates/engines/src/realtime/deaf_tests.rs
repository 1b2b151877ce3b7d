//! A database whose answers are lost on their way now and then: no change is missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use truststream_kernel::{
    BoxFuture, Call, Caller, Context, Error, Features, Identity, Operation, Result, Row, Type, Value,
};
use truststream_services::database::{
    Catalog, Change, ChangeBatch, ChangeKind, Column, Database, DatabaseOp, DatabaseReply, DatabaseService,
    Mark, Position, Table, TableName,
};
use truststream_services::realtime::{ChangeFilter, Event, RealtimeDriver, Subscribe, Subscription};

use super::RealtimeEngine;

/// A feed of so many changes, one in a batch.
const CHANGES: u64 = 6;

/// A database that hears everything, and whose answers of these kinds are lost each second time, or
/// always.
#[derive(Default)]
struct Deaf {
    changes: AtomicU64,
    verdicts: AtomicU64,
    /// No verdict ever comes.
    never_judges: bool,
}

impl Call<DatabaseService> for Deaf {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        async move {
            match op {
                DatabaseOp::Describe(_) => Ok(DatabaseReply::Describe(Arc::new(catalog()))),
                DatabaseOp::Capture(_) => Ok(DatabaseReply::Capture(Position::Sequence(0))),
                DatabaseOp::Changes(op) => {
                    if op.limit == 0 {
                        let position = Position::Sequence(0);
                        let present = ChangeBatch { changes: Vec::new(), position, at_end: true };
                        return Ok(DatabaseReply::Changes(present));
                    }
                    if self.changes.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                        std::future::pending::<()>().await;
                    }
                    Ok(DatabaseReply::Changes(batch(op.after.as_ref(), op.wait).await))
                }
                DatabaseOp::Authorize(op) => {
                    let asked = self.verdicts.fetch_add(1, Ordering::SeqCst);
                    if self.never_judges || asked.is_multiple_of(2) {
                        std::future::pending::<()>().await;
                    }
                    Ok(DatabaseReply::Authorize(vec![true; op.rows.len()]))
                }
                op => Err(Error::internal(format!("nobody asks {} here", op.info().name))),
            }
        }
        .boxed()
    }
}

async fn batch(after: Option<&Position>, wait: Duration) -> ChangeBatch {
    let at = match after {
        Some(Position::Sequence(at)) => *at,
        _ => 0,
    };
    if at == CHANGES {
        tokio::time::sleep(wait).await;
        return ChangeBatch { changes: Vec::new(), position: Position::Sequence(at), at_end: true };
    }
    let sequence = at + 1;
    let columns: Arc<[String]> = ["id".to_owned()].into();
    let change = Change {
        mark: Mark { transaction: sequence, sequence },
        table: TableName::public("notes"),
        kind: ChangeKind::Insert,
        old: None,
        new: Some(Row { columns, values: vec![Value::Int(sequence as i64)] }),
        origin: None,
        made_at: 0,
    };
    ChangeBatch { changes: vec![change], position: Position::Sequence(sequence), at_end: false }
}

fn catalog() -> Catalog {
    let id = Column {
        name: "id".to_owned(),
        type_name: Type::Int8.sql_name(),
        ty: Type::Int8,
        nullable: false,
        default: None,
        identity: None,
        generated: None,
        comment: None,
    };
    let notes = Table { columns: vec![id], primary_key: vec!["id".to_owned()], ..Table::default() };
    Catalog { tables: [(TableName::public("notes"), notes)].into_iter().collect(), ..Catalog::default() }
}

async fn subscribe(database: Deaf) -> (RealtimeEngine, Subscription) {
    let engine = RealtimeEngine::new(Database::new(Arc::new(database), Context::system()));
    let notes = ChangeFilter {
        kind: None,
        schema: "public".to_owned(),
        table: Some("notes".to_owned()),
        filter: None,
    };
    let subscribe = Subscribe { topic: "t".to_owned(), changes: vec![notes] };
    let anybody = Identity::new("anon", serde_json::Map::new());
    let cx = Context { caller: Caller::Role(Arc::new(anybody)), ..Context::system() };
    let subscription = engine.subscribe(&cx, &subscribe).await.unwrap();
    (engine, subscription)
}

#[tokio::test(start_paused = true)]
async fn what_was_not_answered_is_asked_again_soon() {
    let (_engine, subscription) = subscribe(Deaf::default()).await;
    let began = tokio::time::Instant::now();
    let events: Vec<_> = subscription.take(CHANGES as usize).collect().await;
    let id = |event: Event| match event {
        Event::Change(change) => change.new.and_then(|row| row.get("id").cloned()),
        other => panic!("{other:?}"),
    };
    let wanted: Vec<_> = (1..=CHANGES).map(|id| Some(Value::Int(id as i64))).collect();
    assert_eq!(events.into_iter().map(id).collect::<Vec<_>>(), wanted);
    // Each change needs two looks and two verdicts, of each of which the first is not answered.
    assert!(began.elapsed() < Duration::from_secs(8 * CHANGES), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_can_never_be_judged_is_told_of_the_gap() {
    let (_engine, mut subscription) = subscribe(Deaf { never_judges: true, ..Deaf::default() }).await;
    assert!(matches!(subscription.next().await, Some(Event::Gap(_))));
    assert!(subscription.next().await.is_none());
}
