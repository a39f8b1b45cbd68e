//! The end of the task: what was said leaves, connections are closed.

use futures::StreamExt as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep_until};

use super::EventLoop;
use crate::command::Command;
use crate::limits::{OUTBOX_TICK, SHUTDOWN_LINGER, SHUTDOWN_TIME};
use crate::listen::released;

impl EventLoop {
    /// Lets gossip leave, closes every connection, gives the ports back.
    pub(super) async fn close(mut self, mut ended: Vec<oneshot::Sender<()>>) {
        self.commands.close();
        if self.swarm.network_info().num_peers() > 0 {
            self.flush_gossip().await;
        }
        let ports: Vec<_> = self.swarm.listeners().cloned().collect();
        for listener in self.listening.ids() {
            self.swarm.remove_listener(listener);
        }
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error means that it is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let until = Instant::now() + SHUTDOWN_TIME;
        while self.swarm.network_info().num_peers() > 0 {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                () = sleep_until(until) => break,
            }
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Shutdown { answer } = command {
                ended.push(answer);
            }
        }
        self.state.forget_connections();
        self.state.set_listening(Vec::new());
        drop(self.swarm);
        released(&ports, SHUTDOWN_TIME).await;
        for answer in ended {
            let _ = answer.send(());
        }
    }

    /// Runs on until the outbox is empty, and what the connections were handed last is a moment old: they don't tell when
    /// their queues are empty.
    async fn flush_gossip(&mut self) {
        let mut tick = interval(OUTBOX_TICK / 5);
        let mut until = Instant::now() + SHUTDOWN_TIME;
        let mut lingering = false;
        loop {
            if self.outbox.is_empty() && !lingering {
                lingering = true;
                until = self.handed + SHUTDOWN_LINGER;
            }
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                _ = tick.tick() => self.retry(None),
                () = sleep_until(until) => return,
            }
        }
    }
}
