// Made by `truststream gen types --lang rust`.
//
// `numeric` is read as f64; select it as text (`price::text`) where every digit counts.

/// Schema `public`.
pub mod public {
    use serde::{Deserialize, Serialize};

    /// A row of the table `albums`.
    #[derive(Clone, Debug, PartialEq, Deserialize)]
    pub struct Albums {
        /// `id`, bigint
        pub id: i64,
        /// `type`, text
        pub r#type: String,
        /// `Printed On`, date
        #[serde(rename = "Printed On")]
        pub printed_on: Option<String>,
        /// `price`, numeric(8,2)
        pub price: Option<f64>,
        /// `info`, jsonb
        pub info: Option<serde_json::Value>,
        /// `twice`, integer
        pub twice: Option<i32>,
    }

    /// What an insert into the table `albums` takes; what is absent is its default.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct AlbumsInsert {
        /// `type`, text
        pub r#type: String,
        /// `Printed On`, date
        #[serde(rename = "Printed On", skip_serializing_if = "Option::is_none")]
        pub printed_on: Option<String>,
        /// `price`, numeric(8,2)
        #[serde(skip_serializing_if = "Option::is_none")]
        pub price: Option<Option<f64>>,
        /// `info`, jsonb
        #[serde(skip_serializing_if = "Option::is_none")]
        pub info: Option<serde_json::Value>,
    }

    /// What an update of the table `albums` takes; what is absent stays.
    #[derive(Clone, Debug, PartialEq, Default, Serialize)]
    pub struct AlbumsUpdate {
        /// `type`, text
        #[serde(skip_serializing_if = "Option::is_none")]
        pub r#type: Option<String>,
        /// `Printed On`, date
        #[serde(rename = "Printed On", skip_serializing_if = "Option::is_none")]
        pub printed_on: Option<Option<String>>,
        /// `price`, numeric(8,2)
        #[serde(skip_serializing_if = "Option::is_none")]
        pub price: Option<Option<f64>>,
        /// `info`, jsonb
        #[serde(skip_serializing_if = "Option::is_none")]
        pub info: Option<Option<serde_json::Value>>,
    }

    /// A row of the view `priced`.
    #[derive(Clone, Debug, PartialEq, Deserialize)]
    pub struct Priced {
        /// `id`, bigint
        pub id: Option<i64>,
        /// `price`, numeric(8,2)
        pub price: Option<f64>,
    }

    /// What an insert into the view `priced` takes; what is absent is its default.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct PricedInsert {
        /// `id`, bigint
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<i64>,
        /// `price`, numeric(8,2)
        #[serde(skip_serializing_if = "Option::is_none")]
        pub price: Option<f64>,
    }

    /// What an update of the view `priced` takes; what is absent stays.
    #[derive(Clone, Debug, PartialEq, Default, Serialize)]
    pub struct PricedUpdate {
        /// `id`, bigint
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<Option<i64>>,
        /// `price`, numeric(8,2)
        #[serde(skip_serializing_if = "Option::is_none")]
        pub price: Option<Option<f64>>,
    }
}

/// Schema `shelf`.
pub mod shelf {
    use serde::{Deserialize, Serialize};

    /// Enum `condition`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum Condition {
        /// `mint`
        #[serde(rename = "mint")]
        Mint,
        /// `lightly used`
        #[serde(rename = "lightly used")]
        LightlyUsed,
        /// `3rd hand`
        #[serde(rename = "3rd hand")]
        _3rdHand,
    }

    /// A row of the table `boxes`.
    #[derive(Clone, Debug, PartialEq, Deserialize)]
    pub struct Boxes {
        /// `id`, integer
        pub id: i32,
        /// `size`, shelf.size
        pub size: Option<serde_json::Value>,
    }

    /// What an insert into the table `boxes` takes; what is absent is its default.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct BoxesInsert {
        /// `id`, integer
        pub id: i32,
        /// `size`, shelf.size
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size: Option<serde_json::Value>,
    }

    /// What an update of the table `boxes` takes; what is absent stays.
    #[derive(Clone, Debug, PartialEq, Default, Serialize)]
    pub struct BoxesUpdate {
        /// `id`, integer
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<i32>,
        /// `size`, shelf.size
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size: Option<Option<serde_json::Value>>,
    }

    /// A row of the table `copies`.
    #[derive(Clone, Debug, PartialEq, Deserialize)]
    pub struct Copies {
        /// `id`, integer
        pub id: i32,
        /// `album_id`, bigint
        pub album_id: i64,
        /// `state`, shelf.condition
        pub state: Condition,
        /// `states`, shelf.condition[]
        pub states: Option<Vec<Condition>>,
        /// `seen`, timestamp with time zone[]
        pub seen: Vec<String>,
    }

    /// What an insert into the table `copies` takes; what is absent is its default.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct CopiesInsert {
        /// `id`, integer
        pub id: i32,
        /// `album_id`, bigint
        pub album_id: i64,
        /// `state`, shelf.condition
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<Condition>,
        /// `states`, shelf.condition[]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub states: Option<Vec<Condition>>,
        /// `seen`, timestamp with time zone[]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub seen: Option<Vec<String>>,
    }

    /// What an update of the table `copies` takes; what is absent stays.
    #[derive(Clone, Debug, PartialEq, Default, Serialize)]
    pub struct CopiesUpdate {
        /// `id`, integer
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<i32>,
        /// `album_id`, bigint
        #[serde(skip_serializing_if = "Option::is_none")]
        pub album_id: Option<i64>,
        /// `state`, shelf.condition
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<Condition>,
        /// `states`, shelf.condition[]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub states: Option<Option<Vec<Condition>>>,
        /// `seen`, timestamp with time zone[]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub seen: Option<Vec<String>>,
    }
}
