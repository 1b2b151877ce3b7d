//! What is stored, read through the API.

use anyhow::{Context, Result, bail};
use reqwest::Method;

use super::BUCKET;
use crate::api::{Answer, Api};
use crate::history::{Seen, State};

/// Reads everything that the clients work on.
pub async fn read_state(api: &Api, clients: i64) -> Result<State> {
    let mut state = State::default();
    for row in api.rows("notes").await? {
        state.notes.push(row["id"].as_str().context("a note without an id")?.to_owned());
    }
    for row in api.rows("lists").await? {
        let items = row["items"].as_array().context("a list without items")?;
        let items: Vec<_> = items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
        if row["length"].as_u64() != Some(items.len() as u64) {
            bail!("list {} says {} items and has {}", row["id"], row["length"], items.len());
        }
        state.lists.insert(number(&row["id"])?, items);
    }
    for row in api.rows("registers").await? {
        state.registers.insert(number(&row["id"])?, number(&row["value"])?);
    }
    for row in api.rows("accounts").await? {
        state.balances.insert(number(&row["id"])?, number(&row["balance"])?);
    }
    for row in api.rows("transfers").await? {
        let id = row["id"].as_str().context("a transfer without an id")?.to_owned();
        state.transfers.push((id, number(&row["from_id"])?, number(&row["to_id"])?, number(&row["amount"])?));
    }
    for row in api.rows("receipts").await? {
        state.receipts.push(row["id"].as_str().context("a receipt without an id")?.to_owned());
    }
    for file in 1..=clients {
        match read_file(api, file).await {
            Ok(seen) => drop(state.files.insert(file, seen)),
            Err(answer) => bail!("file {file}: {answer:?}"),
        }
    }
    Ok(state)
}

fn number(value: &serde_json::Value) -> Result<i64> {
    value.as_i64().with_context(|| format!("expected a number, got {value}"))
}

/// The content of a version of a file: long enough to be torn, and different in every line.
pub(super) fn file_content(file: i64, number: i64) -> String {
    (0..40 + number % 60).map(|line| format!("{number} file {file} line {line}\n")).collect()
}

/// Which version of a file is there; 0 if none is.
pub(super) async fn read_file(api: &Api, file: i64) -> Result<Seen, Answer> {
    let path = format!("/storage/v1/object/{BUCKET}/{file}.txt");
    let body = match api.send(Method::GET, &path, None).await {
        Answer::Done(body) => body,
        Answer::Refused(why) if why.contains("not_found") || why.contains("NoSuchKey") => {
            return Ok(Seen::Number(0));
        }
        other => return Err(other),
    };
    let text = String::from_utf8_lossy(&body);
    let number = text.split(' ').next().and_then(|number| number.parse::<i64>().ok());
    Ok(match number {
        Some(number) if file_content(file, number) == text => Seen::Number(number),
        _ => Seen::Damaged(text.chars().take(60).collect()),
    })
}
