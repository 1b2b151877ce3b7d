//! The operations of the Realtime service.

use truststream_kernel::{FeatureSet, Requires, operations};

use super::{ChangeFilter, Message, RealtimeDriver, RealtimeFeature, Subscription};

operations! {
    /// The Realtime service.
    RealtimeService("realtime", RealtimeFeature), driver RealtimeDriver, op RealtimeOp, reply RealtimeReply {
        Subscribe => subscribe -> Subscription, Read, true;
        Reauthorize => reauthorize -> (), Read, true;
        Publish => publish -> (), Read, false;
    }
}

/// Subscribes to a topic's messages and to changes of rows.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// The topic.
    pub topic: String,
    /// Which changes.
    pub changes: Vec<ChangeFilter>,
}

impl Requires for Subscribe {
    fn needs(&self) -> FeatureSet {
        let changes = (!self.changes.is_empty()).then_some(RealtimeFeature::Changes);
        changes.map_or(FeatureSet::EMPTY, |feature| FeatureSet::of(&[feature]))
    }
}

/// Gives a subscription the rights of another token: whose, the context says.
#[derive(Clone, Debug)]
pub struct Reauthorize {
    /// Number of the subscription.
    pub subscription: u64,
}

impl Requires for Reauthorize {}

/// Sends a message to the subscribers of a topic.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The topic.
    pub topic: String,
    /// The message.
    pub message: Message,
    /// A subscription that does not get it (the sender's own).
    pub except: Option<u64>,
}

impl Requires for Publish {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[RealtimeFeature::Broadcast])
    }
}
