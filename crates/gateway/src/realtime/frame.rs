//! Messages on the wire, in both versions of the protocol.

use axum::extract::ws::Message as Frame;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value as Json, json};
use truststream_services::realtime::Payload;

/// Version of the protocol: objects, or arrays and binary frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// First byte of a client's broadcast.
const USER_BROADCAST_PUSH: u8 = 3;
/// First byte of a broadcast passed on.
const USER_BROADCAST: u8 = 4;

/// What a client says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Incoming {
    pub(super) topic: String,
    pub(super) event: String,
    pub(super) payload: Body,
    pub(super) reference: Option<String>,
    pub(super) join_reference: Option<String>,
}

/// What a message carries: JSON, or a broadcast's own event and payload.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Json(Json),
    Broadcast { event: String, payload: Payload },
}

/// Reads a frame; `None` for what is no message.
pub(super) fn decode(version: Version, frame: &Frame) -> Option<Incoming> {
    match frame {
        Frame::Text(text) => decode_text(version, text),
        Frame::Binary(bytes) if version == Version::Two => decode_push(bytes),
        _ => None,
    }
}

fn decode_text(version: Version, text: &str) -> Option<Incoming> {
    let value: Json = serde_json::from_str(text).ok()?;
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let (join_reference, reference, topic, event, payload) = match version {
        Version::One => {
            (&value["join_ref"], &value["ref"], &value["topic"], &value["event"], &value["payload"])
        }
        Version::Two => (&value[0], &value[1], &value[2], &value[3], &value[4]),
    };
    Some(Incoming {
        topic: text(topic)?,
        event: text(event)?,
        payload: Body::Json(payload.clone()),
        reference: text(reference),
        join_reference: text(join_reference),
    })
}

/// Kind, lengths of join reference, reference, topic, event and metadata, encoding, the texts, the
/// payload.
fn decode_push(bytes: &Bytes) -> Option<Incoming> {
    let header = bytes.get(..7)?;
    let [USER_BROADCAST_PUSH, join, reference, topic, event, metadata, encoding] = *header else {
        return None;
    };
    let mut rest = bytes.slice(7..);
    let mut take = |length: u8| {
        let length = usize::from(length);
        (rest.len() >= length).then(|| rest.split_to(length))
    };
    let mut text = |length: u8| String::from_utf8(take(length)?.to_vec()).ok();
    let (join_reference, reference, topic, event) =
        (text(join)?, text(reference)?, text(topic)?, text(event)?);
    take(metadata)?;
    let payload = match encoding {
        1 => Payload::Json(json_text(&rest)?),
        _ => Payload::Binary(rest),
    };
    Some(Incoming {
        topic,
        event: "broadcast".to_owned(),
        payload: Body::Broadcast { event, payload },
        reference: Some(reference).filter(|reference| !reference.is_empty()),
        join_reference: Some(join_reference).filter(|reference| !reference.is_empty()),
    })
}

fn json_text(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// A message of the server.
pub(super) fn message(
    version: Version,
    topic: &str,
    event: &str,
    payload: &Json,
    join_reference: Option<&str>,
) -> Frame {
    let text = match version {
        Version::One => {
            json!({ "topic": topic, "event": event, "payload": payload, "ref": null, "join_ref": join_reference })
        }
        Version::Two => json!([join_reference, null, topic, event, payload]),
    };
    Frame::Text(text.to_string().into())
}

/// The reply to a client's message.
pub(super) fn reply(version: Version, to: &Incoming, ok: bool, response: &Json) -> Frame {
    let payload = json!({ "status": if ok { "ok" } else { "error" }, "response": response });
    let join_reference = to.join_reference.as_ref().or(to.reference.as_ref());
    let text = match version {
        Version::One => {
            json!({ "topic": to.topic, "event": "phx_reply", "payload": payload, "ref": to.reference })
        }
        Version::Two => json!([join_reference, to.reference, to.topic, "phx_reply", payload]),
    };
    Frame::Text(text.to_string().into())
}

/// A broadcast as this version's clients take it; `None` for bytes to a client of version 1, which
/// has no way to take them.
pub(super) fn broadcast(version: Version, topic: &str, event: &str, payload: &Payload) -> Option<Frame> {
    match (version, payload) {
        (Version::One, Payload::Json(text)) => {
            let payload: Json = serde_json::from_str(text).ok()?;
            let body = json!({ "type": "broadcast", "event": event, "payload": payload });
            Some(message(version, topic, "broadcast", &body, None))
        }
        (Version::One, Payload::Binary(_)) => None,
        (Version::Two, payload) => encode_broadcast(topic, event, payload),
    }
}

/// Kind, lengths of topic, event and metadata, encoding, the texts, the payload.
fn encode_broadcast(topic: &str, event: &str, payload: &Payload) -> Option<Frame> {
    let (encoding, body) = match payload {
        Payload::Json(text) => (1, text.as_bytes()),
        Payload::Binary(bytes) => (0, bytes.as_ref()),
    };
    let mut frame = BytesMut::with_capacity(5 + topic.len() + event.len() + body.len());
    frame.put_u8(USER_BROADCAST);
    frame.put_u8(u8::try_from(topic.len()).ok()?);
    frame.put_u8(u8::try_from(event.len()).ok()?);
    frame.put_u8(0);
    frame.put_u8(encoding);
    frame.put_slice(topic.as_bytes());
    frame.put_slice(event.as_bytes());
    frame.put_slice(body);
    Some(Frame::Binary(frame.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_push_is_read_and_what_is_cut_off_is_not() {
        let mut frame = vec![3, 1, 1, 1, 2, 0, 1];
        frame.extend_from_slice(b"12tev{\"a\":1}");
        let incoming = decode(Version::Two, &Frame::Binary(frame.clone().into())).unwrap();
        assert_eq!((incoming.topic.as_str(), incoming.reference.as_deref()), ("t", Some("2")));
        let payload = Payload::Json("{\"a\":1}".to_owned());
        assert_eq!(incoming.payload, Body::Broadcast { event: "ev".to_owned(), payload });
        for cut in 0..11 {
            assert_eq!(
                decode(Version::Two, &Frame::Binary(Bytes::copy_from_slice(&frame[..cut]))),
                None,
                "{cut}"
            );
        }
    }

    #[test]
    fn texts_that_are_no_messages_are_no_messages() {
        for text in ["no json", "{}", "[]", "[1,2", "null", "{\"topic\":1}"] {
            for version in [Version::One, Version::Two] {
                assert_eq!(decode(version, &Frame::Text(text.into())), None, "{text}");
            }
        }
    }
}
