//! Networks of the machine's own between gateways and servers, in which packets are dropped.
//!
//! Each gateway is in a namespace of its own and reaches the servers through a hub, which is in one as
//! well. Every server has an address of its own, so that a gateway can be cut off from one of them or
//! from all, and what it says can be lost while answers arrive, or the other way round. The namespaces
//! are those of processes that do nothing: with them all is gone.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

/// What a gateway can be cut off from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Control,
    Main,
    Cloud,
}

impl Place {
    pub const ALL: [Place; 3] = [Place::Control, Place::Main, Place::Cloud];
}

/// What is lost of what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Both,
    /// What the gateway says.
    There,
    /// What it is answered.
    Back,
}

/// Namespaces that hang together.
pub struct Namespaces {
    hub: Room,
    rooms: Vec<Room>,
    net: u32,
    /// Rules of the hub that drop packets, as they were made.
    rules: Mutex<Vec<[String; 2]>>,
}

impl Namespaces {
    /// Makes them.
    ///
    /// # Errors
    /// Why they can't be made here: mostly that this user may not.
    pub fn make(gateways: usize) -> Result<Self> {
        // Several runs on one machine have networks of their own.
        let net = 100 + std::process::id() % 100;
        let hub = Room::new()?;
        let link = format!("ts{}", std::process::id());
        ip(None, &["link", "add", &link, "type", "veth", "peer", "name", "up0", "netns", &hub.id()])?;
        // Who is no server has the first address, which clients come from.
        for last in [254, 1, 2, 3] {
            ip(None, &["addr", "add", &format!("10.{net}.255.{last}/24"), "dev", &link])?;
        }
        ip(None, &["link", "set", &link, "up"])?;
        hub.take("up0", &format!("10.{net}.255.253/24"))?;
        hub.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        let mut rooms = Vec::new();
        for number in 0..gateways {
            let (room, near) = (Room::new()?, format!("g{number}"));
            let id = room.id();
            let pair = ["link", "add", &near, "type", "veth", "peer", "name", "eth0", "netns", &id];
            ip(Some(&hub), &pair)?;
            hub.take(&near, &format!("10.{net}.{number}.1/24"))?;
            room.take("eth0", &format!("10.{net}.{number}.2/24"))?;
            ip(Some(&room), &["route", "add", "default", "via", &format!("10.{net}.{number}.1")])?;
            let (to, via) = (format!("10.{net}.{number}.0/24"), format!("10.{net}.255.253"));
            ip(None, &["route", "add", &to, "via", &via])?;
            rooms.push(room);
        }
        Ok(Namespaces { hub, rooms, net, rules: Mutex::default() })
    }

    /// Where a server is to be reached.
    pub fn server(&self, place: Place) -> Ipv4Addr {
        let last = match place {
            Place::Control => 1,
            Place::Main => 2,
            Place::Cloud => 3,
        };
        self.address(255, last)
    }

    /// Where a gateway runs.
    pub fn home(&self, gateway: usize) -> Home {
        let room = &self.rooms[gateway];
        let address = self.address(gateway as u32, 2);
        Home { enter: vec!["nsenter".into(), "-t".into(), room.id(), "-n".into(), "--".into()], address }
    }

    fn address(&self, third: u32, last: u8) -> Ipv4Addr {
        Ipv4Addr::from((10 << 24) | (self.net << 16) | (third << 8) | u32::from(last))
    }

    /// Has packets between a gateway and servers dropped, and tells nobody.
    pub fn cut(&self, gateway: usize, places: &[Place], way: Way) -> Result<()> {
        let gateway = self.address(gateway as u32, 2).to_string();
        for place in places {
            let server = self.server(*place).to_string();
            let there = [gateway.clone(), server.clone()];
            let back = [server, gateway.clone()];
            let lost = match way {
                Way::Both => vec![there, back],
                Way::There => vec![there],
                Way::Back => vec![back],
            };
            for [from, to] in lost {
                ip(Some(&self.hub), &["rule", "add", "from", &from, "to", &to, "blackhole"])?;
                self.rules.lock().push([from, to]);
            }
        }
        Ok(())
    }

    /// Lets everything through again.
    pub fn mend(&self) -> Result<()> {
        for [from, to] in self.rules.lock().drain(..) {
            ip(Some(&self.hub), &["rule", "del", "from", &from, "to", &to, "blackhole"])?;
        }
        Ok(())
    }
}

/// Where a gateway runs, and how it is reached from here.
#[derive(Clone, Debug)]
pub struct Home {
    /// The command that runs another one there; nothing for the network of this process.
    pub enter: Vec<String>,
    pub address: Ipv4Addr,
}

impl Home {
    /// The network of this process.
    pub fn here() -> Self {
        Home { enter: Vec::new(), address: Ipv4Addr::LOCALHOST }
    }

    /// Whether it is the network of this process.
    pub fn is_here(&self) -> bool {
        self.enter.is_empty()
    }
}

/// A namespace, for as long as a process is in it.
struct Room(Child);

impl Room {
    fn new() -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "unshare", "--net", "sleep", "infinity"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut room = Room(command.spawn().context("setpriv")?);
        let began = Instant::now();
        let of = |id: &str| std::fs::read_link(format!("/proc/{id}/ns/net"));
        let own = of("self")?;
        while !of(&room.id()).is_ok_and(|net| net != own) {
            if room.0.try_wait()?.is_some() || began.elapsed() > Duration::from_secs(60) {
                let _ = room.0.kill();
                let mut said = String::new();
                if let Some(mut errors) = room.0.stderr.take() {
                    std::io::Read::read_to_string(&mut errors, &mut said)?;
                }
                bail!("{}", said.trim());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        ip(Some(&room), &["link", "set", "lo", "up"])?;
        Ok(room)
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }

    fn take(&self, link: &str, address: &str) -> Result<()> {
        ip(Some(self), &["addr", "add", address, "dev", link])?;
        ip(Some(self), &["link", "set", link, "up"])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new("nsenter");
        done(command.args(["-t", &self.id(), "-n", "--", program]).args(arguments))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `ip`, in a namespace or here.
fn ip(room: Option<&Room>, arguments: &[&str]) -> Result<()> {
    match room {
        Some(room) => room.run("ip", arguments),
        None => done(Command::new("ip").args(arguments)),
    }
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
