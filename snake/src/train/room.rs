//! What a workshop leaves for the next one: memory to work in, and answers that hold for the whole shard.

use std::sync::{Mutex, PoisonError};

use super::axis::{Axis, Scratch};
use super::grams::Shelf;
use super::masks::Masks;
use super::quotes::Quotes;

/// What clauses are built in, without what it says about a bucket.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) quotes: Quotes,
    pub(super) masks: Masks,
    pub(super) grams: Shelf,
    pub(super) axes: Vec<Axis>,
    pub(super) codes: Vec<u32>,
    pub(super) scratch: Scratch,
}

impl Room {
    fn new() -> Self {
        Self {
            quotes: Quotes::new(),
            masks: Masks::new(),
            grams: Shelf::default(),
            axes: Vec::new(),
            codes: Vec::new(),
            scratch: Scratch::default(),
        }
    }
}

/// The rooms of a shard that nobody works in. Which one is taken has no part in what is made in it.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<Vec<Room>>);

impl Rooms {
    pub(super) fn take(&self) -> Room {
        let room = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        room.unwrap_or_else(Room::new)
    }

    pub(super) fn give_back(&self, room: Room) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }
}
