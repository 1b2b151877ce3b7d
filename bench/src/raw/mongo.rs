//! The official driver, with its own pool, asked by hand-written queries.

use anyhow::Result;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Client, Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};

use super::{Agent, Child, Query};
use crate::data::{MISSIONS, READ_TABLE, STEPS, WRITE_TABLE};

pub struct Raw(Database);

/// An agent whose id is the document's.
#[derive(Serialize, Deserialize)]
struct Stored {
    _id: String,
    name: String,
    category: String,
    score: f64,
    created_at: String,
    description: String,
}

impl Raw {
    pub async fn connect(url: &str) -> Result<Self> {
        let database = Client::with_uri_str(url).await?.database("raw_bench");
        let index =
            |keys: Document| IndexModel::builder().keys(keys).options(IndexOptions::default()).build();
        for table in [READ_TABLE, WRITE_TABLE] {
            let agents: Collection<Document> = database.collection(table);
            agents.create_index(index(doc! { "category": 1, "score": 1 })).await?;
        }
        for (table, parent) in [(MISSIONS, "agent_id"), (STEPS, "mission_id")] {
            database.collection::<Document>(table).create_index(index(doc! { parent: 1 })).await?;
        }
        Ok(Raw(database))
    }

    pub async fn read(&self, query: &Query<'_>) -> Result<Vec<u8>> {
        let agents = self.0.collection::<Stored>(READ_TABLE);
        let mut found = match query {
            Query::Point(id) => agents.find(doc! { "_id": *id }).limit(1).await?,
            Query::Top(category, limit) => {
                agents.find(doc! { "category": *category }).sort(doc! { "score": -1 }).limit(*limit).await?
            }
            Query::Since(since, limit) => {
                let since = doc! { "created_at": { "$gte": *since } };
                agents.find(since).sort(doc! { "name": 1 }).limit(*limit).await?
            }
            Query::Embed(category, limit) => return self.embed(category, *limit).await,
        };
        let mut list: Vec<Agent> = Vec::new();
        while found.advance().await? {
            list.push(found.deserialize_current()?.into());
        }
        Ok(serde_json::to_vec(&list)?)
    }

    async fn embed(&self, category: &str, limit: i64) -> Result<Vec<u8>> {
        let steps = doc! { "$lookup": {
            "from": STEPS, "localField": "_id", "foreignField": "mission_id", "as": "steps",
            "pipeline": [{ "$project": { "_id": 0, "id": "$_id", "note": 1 } }],
        } };
        let missions = doc! { "$lookup": {
            "from": MISSIONS, "localField": "_id", "foreignField": "agent_id", "as": "missions",
            "pipeline": [steps, { "$project": { "_id": 0, "id": "$_id", "title": 1, "steps": 1 } }],
        } };
        let pipeline = [
            doc! { "$match": { "category": category } },
            doc! { "$sort": { "score": -1 } },
            doc! { "$limit": limit },
            missions,
            doc! { "$project": { "_id": 0, "id": "$_id", "name": 1, "missions": 1 } },
        ];
        let mut found = self.0.collection::<Document>(READ_TABLE).aggregate(pipeline).await?;
        let mut list: Vec<Document> = Vec::new();
        while found.advance().await? {
            list.push(found.deserialize_current()?);
        }
        Ok(serde_json::to_vec(&list)?)
    }

    pub async fn insert(&self, table: &'static str, agent: &Agent) -> Result<()> {
        self.0.collection::<Stored>(table).insert_one(Stored::from(agent)).await?;
        Ok(())
    }

    pub async fn insert_children(&self, table: &'static str, children: &[Child]) -> Result<()> {
        let (parent, text) = if table == MISSIONS { ("agent_id", "title") } else { ("mission_id", "note") };
        let rows =
            children.iter().map(|child| doc! { "_id": &child.id, parent: &child.parent, text: &child.text });
        self.0.collection::<Document>(table).insert_many(rows).await?;
        Ok(())
    }
}

impl From<Stored> for Agent {
    fn from(Stored { _id, name, category, score, created_at, description }: Stored) -> Self {
        Agent { id: _id, name, category, score, created_at, description }
    }
}

impl From<&Agent> for Stored {
    fn from(agent: &Agent) -> Self {
        let Agent { id, name, category, score, created_at, description } = agent;
        Stored {
            _id: id.clone(),
            name: name.clone(),
            category: category.clone(),
            score: *score,
            created_at: created_at.clone(),
            description: description.clone(),
        }
    }
}
