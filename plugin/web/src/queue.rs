//! A queue in which addresses take turns: who sends many songs waits behind those who send one.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Why something is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The queue is full.
    Queue,
    /// The address has as much in it as it may.
    Address,
}

/// A bounded queue with fair turns.
#[derive(Debug)]
pub struct FairQueue<T> {
    /// The items of each address that has any; the first address is the next.
    lanes: VecDeque<(IpAddr, VecDeque<T>)>,
    len: usize,
    most: usize,
    most_per_address: usize,
}

impl<T> FairQueue<T> {
    /// An empty queue of `most` items at most.
    pub fn new(most: usize, most_per_address: usize) -> Self {
        FairQueue { lanes: VecDeque::new(), len: 0, most, most_per_address }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Appends an item.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn push(&mut self, address: IpAddr, item: T) -> Result<(), Full> {
        if self.len >= self.most {
            return Err(Full::Queue);
        }
        match self.lanes.iter_mut().find(|(owner, _)| *owner == address) {
            Some((_, lane)) if lane.len() >= self.most_per_address => return Err(Full::Address),
            Some((_, lane)) => lane.push_back(item),
            None => self.lanes.push_back((address, VecDeque::from([item]))),
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the next item; its address comes last from now on.
    pub fn pop(&mut self) -> Option<T> {
        let (address, mut lane) = self.lanes.pop_front()?;
        let item = lane.pop_front()?;
        if !lane.is_empty() {
            self.lanes.push_back((address, lane));
        }
        self.len -= 1;
        Some(item)
    }

    /// Takes out the items for which `is_wanted` is false.
    pub fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        for (_, lane) in &mut self.lanes {
            lane.retain(&is_wanted);
        }
        self.lanes.retain(|(_, lane)| !lane.is_empty());
        self.len = self.lanes.iter().map(|(_, lane)| lane.len()).sum();
    }

    /// All items in the order in which they would be taken.
    pub fn in_order(&self) -> Vec<&T> {
        let longest = self.lanes.iter().map(|(_, lane)| lane.len()).max().unwrap_or(0);
        let round = |turn: usize| self.lanes.iter().filter_map(move |(_, lane)| lane.get(turn));
        (0..longest).flat_map(round).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn addresses_take_turns_and_the_order_is_told() {
        let mut queue = FairQueue::new(10, 4);
        for (owner, item) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            queue.push(address(owner), item).unwrap();
        }
        let told: Vec<&str> = queue.in_order().into_iter().copied().collect();
        let taken: Vec<&str> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(taken, ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert_eq!(told, taken);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn it_is_bounded_as_a_whole_and_for_each_address() {
        let mut queue = FairQueue::new(3, 2);
        assert_eq!(queue.push(address(1), 1), Ok(()));
        assert_eq!(queue.push(address(1), 2), Ok(()));
        assert_eq!(queue.push(address(1), 3), Err(Full::Address));
        assert_eq!(queue.push(address(2), 4), Ok(()));
        assert_eq!(queue.push(address(3), 5), Err(Full::Queue));
        queue.retain(|item| *item != 1);
        assert_eq!(queue.push(address(3), 6), Ok(()));
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [2, 4, 6]);
    }
}
