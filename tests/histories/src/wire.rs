//! The wire between a gateway and a server, which can be slow, silent or cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What a wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Sound,
    /// Everything arrives so much later.
    Slow(Duration),
    /// Nothing arrives, and nobody is told.
    Silent,
    /// What the gateway says arrives, and no answer does.
    Deaf,
    /// Connections break, and no new one is made.
    Cut,
}

/// A wire to one server.
pub struct Wire {
    port: u16,
    condition: watch::Sender<Condition>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// A wire to the server at this port.
    pub async fn to(server: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (condition, seen) = watch::channel(Condition::Sound);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, seen.clone()));
            }
        });
        Ok(Wire { port, condition, accepting })
    }

    /// Where its near end is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what it does, for open connections as well.
    pub fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, server: u16, seen: watch::Receiver<Condition>) {
    if *seen.borrow() == Condition::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server))).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let cut = async {
        // A wire that is gone is cut.
        let _ = seen.clone().wait_for(|condition| *condition == Condition::Cut).await;
    };
    let there = carry(from_client, to_server, seen.clone(), false);
    let back = carry(from_server, to_client, seen.clone(), true);
    tokio::select! {
        () = cut => {}
        () = there => {}
        () = back => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut seen: watch::Receiver<Condition>,
    answers: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passes = |condition: &Condition| match condition {
            Condition::Silent => false,
            Condition::Deaf => !answers,
            _ => true,
        };
        let Ok(condition) = seen.wait_for(passes).await.map(|condition| *condition) else { return };
        if let Condition::Slow(time) = condition {
            sleep(time).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
