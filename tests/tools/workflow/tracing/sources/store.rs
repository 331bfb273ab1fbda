use std::{collections::HashMap, fs::File as F};
extern crate serde;
mod disk;

pub mod cache {
    pub trait Keep<K> {
        fn keep(&mut self, key: K);
        fn clear(&mut self) { self.drop_all(); }
    }

    #[derive(Debug)]
    pub struct Lru<K> { items: HashMap<K, usize> }

    impl<K: Hash> Keep<K> for Lru<K> {
        fn keep(&mut self, key: K) {
            let cost = |k: &K| weigh(k);
            if self.items.len() > Self::limit() {
                self.evict::<K>();
            }
            self.items.insert(key, cost(&key));
        }
    }

    impl<K> Lru<K> {
        pub fn new() -> Self { Lru { items: HashMap::new() } }
        async fn evict<T>(&mut self) -> Result<(), E> {
            trace!("evicting {}", self.oldest());
            super::größe(1).await?;
            Ok(())
        }
    }
}

fn größe(n: u64) -> u64 { if n == 0 { 1 } else { n * größe(n - 1) } }

macro_rules! weigh { ($x:expr) => { größe($x) }; }
