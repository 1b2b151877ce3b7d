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
    near: SocketAddr,
    far: SocketAddr,
    condition: watch::Sender<Condition>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// A wire from an address of this machine to the server at this port.
    pub async fn to(server: u16, from: Ipv4Addr) -> Result<Self> {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        Wire::between(SocketAddr::from((from, 0)), server).await
    }

    /// A wire from one address to another.
    pub async fn between(from: SocketAddr, far: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(from).await?;
        let near = listener.local_addr()?;
        let (condition, seen) = watch::channel(Condition::Sound);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, far, seen.clone()));
            }
        });
        Ok(Wire { near, far, condition, accepting })
    }

    /// A URL of the server, by way of this wire.
    pub fn leads_to(&self, url: &str) -> String {
        url.replace(&self.far.to_string(), &self.near.to_string())
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

async fn connect(client: TcpStream, server: SocketAddr, seen: watch::Receiver<Condition>) {
    if *seen.borrow() == Condition::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
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
