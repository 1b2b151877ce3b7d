//! One client: what it does next, and how it is said in requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::session::Session;
use super::state::{file_content, read_file};
use super::{ACCOUNTS, BUCKET, LISTS, Log};
use crate::api::{Answer, Api};
use crate::history::{Action, Outcome, Seen};

pub(super) struct Client {
    number: i64,
    api: Api,
    session: Session,
    log: Arc<Log>,
    random: StdRng,
    /// Notes that were acknowledged and not removed.
    notes: Vec<String>,
    /// The last number that was given to a note, a register's value and a file.
    last: i64,
}

impl Client {
    pub(super) fn new(number: i64, api: Api, session: Session, log: Arc<Log>, random: StdRng) -> Self {
        Client { number, api, session, log, random, notes: Vec::new(), last: 0 }
    }

    pub(super) async fn run(mut self, pace: Duration) {
        while !self.log.is_over() {
            let began = Instant::now();
            self.one().await;
            tokio::time::sleep(pace.saturating_sub(began.elapsed())).await;
        }
    }

    async fn one(&mut self) {
        match self.random.random_range(0..100) {
            0..20 => self.add_note().await,
            20..25 => self.remove_note().await,
            25..37 => self.append().await,
            37..52 => self.set().await,
            52..67 => self.get().await,
            67..77 => self.transfer().await,
            77..83 => self.read_balances().await,
            83..88 => self.session.rotate(&self.log, self.number).await,
            88..94 => self.put_file().await,
            _ => self.get_file().await,
        }
    }

    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    async fn add_note(&mut self) {
        let (id, number) = (self.uuid(), self.next());
        let list = self.random.random_range(1..=LISTS);
        let body =
            json!({ "id": id, "list_id": list, "client": self.number, "number": number, "body": "a note" });
        let work = write(&self.api, Method::POST, "/rest/v1/notes".to_owned(), Some(body));
        let action = Action::AddNote { id: id.clone(), number };
        if let Outcome::Done(_) = self.log.note(self.number, action, work).await {
            self.notes.push(id);
        }
    }

    async fn remove_note(&mut self) {
        let Some(id) = self.notes.pop() else { return };
        let work = write(&self.api, Method::DELETE, format!("/rest/v1/notes?id=eq.{id}"), None);
        self.log.note(self.number, Action::RemoveNote { id }, work).await;
    }

    async fn append(&mut self) {
        let list = self.random.random_range(1..=LISTS);
        let item = self.uuid();
        let (api, read) = (self.api.clone(), Action::ReadList { list });
        let reading = async move {
            let path = format!("/rest/v1/lists?id=eq.{list}&select=items");
            match api.send(Method::GET, &path, None).await {
                Answer::Done(body) => Outcome::Done(Seen::Items(items(&body))),
                other => failed(other),
            }
        };
        let Outcome::Done(Seen::Items(mut items)) = self.log.note(self.number, read, reading).await else {
            return;
        };
        let length = items.len();
        items.push(item.clone());
        let body = json!({ "items": items, "length": length + 1 });
        let path = format!("/rest/v1/lists?id=eq.{list}&length=eq.{length}");
        let work = write(&self.api, Method::PATCH, path, Some(body));
        self.log.note(self.number, Action::Append { list, item, length }, work).await;
    }

    async fn set(&mut self) {
        let (register, value) = (self.number, self.next());
        let path = format!("/rest/v1/registers?id=eq.{register}");
        let work = write(&self.api, Method::PATCH, path, Some(json!({ "value": value })));
        self.log.note(self.number, Action::Set { register, value }, work).await;
    }

    /// Mostly of its own register, so that it would notice if its own writes were not there.
    async fn get(&mut self) {
        let own = self.random.random_bool(0.7);
        let register = if own { self.number } else { self.random.random_range(1..=self.number) };
        let api = self.api.clone();
        let work = async move {
            let path = format!("/rest/v1/registers?id=eq.{register}&select=value");
            match api.send(Method::GET, &path, None).await {
                Answer::Done(body) => {
                    Outcome::Done(match rows(&body).first().and_then(|row| row["value"].as_i64()) {
                        Some(value) => Seen::Number(value),
                        None => Seen::Damaged(String::from_utf8_lossy(&body).into_owned()),
                    })
                }
                other => failed(other),
            }
        };
        self.log.note(self.number, Action::Get { register }, work).await;
    }

    async fn transfer(&mut self) {
        let from = self.random.random_range(1..=ACCOUNTS);
        let to = from % ACCOUNTS + 1;
        let amount = self.random.random_range(1..=20);
        let id = self.uuid();
        let path = format!("/rest/v1/accounts?id=in.({from},{to})");
        let Answer::Done(body) = self.api.send(Method::GET, &path, None).await else { return };
        let accounts: BTreeMap<i64, Json> =
            rows(&body).into_iter().filter_map(|row| Some((row["id"].as_i64()?, row))).collect();
        let (Some(one), Some(other)) = (accounts.get(&from), accounts.get(&to)) else { return };
        if one["balance"].as_i64() < Some(amount) {
            return;
        }
        let changed = |row: &Json, by: i64| {
            let (id, version, balance) = (&row["id"], row["version"].as_i64(), row["balance"].as_i64());
            let (version, balance) = (version.unwrap_or_default(), balance.unwrap_or_default() + by);
            json!({
                "method": "PATCH", "path": format!("/accounts?id=eq.{id}&version=eq.{version}"),
                "body": { "version": version + 1, "balance": balance }, "expect": 1,
            })
        };
        let record = json!({ "id": id, "from_id": from, "to_id": to, "amount": amount });
        let requests = [
            changed(one, -amount),
            changed(other, amount),
            json!({ "method": "POST", "path": "/transfers", "body": record }),
            // Nothing but this ties its table to the others.
            json!({ "method": "POST", "path": "/receipts", "body": { "id": id, "amount": amount } }),
        ];
        let body = json!({ "requests": requests });
        let api = self.api.clone();
        let work = async move {
            match api.send(Method::POST, "/truststream/v1/atomic", Some(&body)).await {
                Answer::Done(_) => Outcome::Done(Seen::Nothing),
                // Another client has changed one of the accounts since.
                Answer::Refused(why) if why.contains("40001") || why.contains("40P01") => Outcome::Lost,
                other => failed(other),
            }
        };
        self.log.note(self.number, Action::Transfer { id, from, to, amount }, work).await;
    }

    async fn read_balances(&mut self) {
        let api = self.api.clone();
        let work = async move {
            match api.send(Method::GET, "/rest/v1/accounts?select=id,balance", None).await {
                Answer::Done(body) => Outcome::Done(Seen::Balances(
                    rows(&body)
                        .iter()
                        .filter_map(|row| Some((row["id"].as_i64()?, row["balance"].as_i64()?)))
                        .collect(),
                )),
                other => failed(other),
            }
        };
        self.log.note(self.number, Action::ReadBalances, work).await;
    }

    async fn put_file(&mut self) {
        let (file, number) = (self.number, self.next());
        let content = file_content(file, number).into_bytes();
        let path = format!("/storage/v1/object/{BUCKET}/{file}.txt");
        let api = self.api.clone();
        let work = async move {
            match api.send_as(Method::POST, &path, Some(content), "text/plain").await {
                Answer::Done(_) => Outcome::Done(Seen::Nothing),
                other => failed(other),
            }
        };
        self.log.note(self.number, Action::PutFile { file, number }, work).await;
    }

    async fn get_file(&mut self) {
        let file = self.random.random_range(1..=self.number);
        let api = self.api.clone();
        let work = async move {
            match read_file(&api, file).await {
                Ok(seen) => Outcome::Done(seen),
                Err(answer) => failed(answer),
            }
        };
        self.log.note(self.number, Action::GetFile { file }, work).await;
    }

    /// Ids follow from the seed too.
    fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid().to_string()
    }
}

/// A write of one row: lost if no row was as it was expected to be.
async fn write(api: &Api, method: Method, path: String, body: Option<Json>) -> Outcome {
    match api.send(method, &path, body.as_ref()).await {
        Answer::Done(body) if rows(&body).is_empty() => Outcome::Lost,
        Answer::Done(_) => Outcome::Done(Seen::Nothing),
        other => failed(other),
    }
}

pub(super) fn failed(answer: Answer) -> Outcome {
    match answer {
        Answer::Done(_) => Outcome::Done(Seen::Nothing),
        Answer::Refused(why) => Outcome::Refused(why),
        Answer::Unknown(why) => Outcome::Unknown(why),
    }
}

fn rows(body: &[u8]) -> Vec<Json> {
    serde_json::from_slice(body).unwrap_or_default()
}

fn items(body: &[u8]) -> Vec<String> {
    let rows = rows(body);
    let items = rows.first().and_then(|row| row["items"].as_array());
    items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
