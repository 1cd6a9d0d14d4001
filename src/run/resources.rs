//! Pools: what running nodes hold of the machine. Pure arithmetic.

use std::collections::BTreeMap;

use jalon_conf::pipeline::{NodeId, Resources};

use crate::graph::Graph;
use crate::project::Machine;

/// What is to be had and what is taken.
#[derive(Debug)]
pub struct Pools {
    cpu: (f64, f64),
    mem: (u64, u64),
    named: BTreeMap<String, (f64, f64)>,
}

/// A node asks for more than the machine has.
#[derive(Debug, Clone, PartialEq)]
pub struct Beyond {
    /// The node.
    pub node: NodeId,
    /// `cpu`, `mem` or a pool.
    pub pool: String,
    /// Asked for.
    pub wanted: f64,
    /// There is.
    pub capacity: f64,
}

impl Pools {
    /// `jobs` processors are handed out; a node that wants more of them than that runs alone.
    pub fn new(machine: &Machine, jobs: u32) -> Pools {
        let named = machine
            .pools
            .iter()
            .map(|(name, &capacity)| (name.clone(), (capacity, 0.0)))
            .collect();
        Pools {
            cpu: (f64::from(jobs), 0.0),
            mem: (machine.memory.unwrap_or(u64::MAX), 0),
            named,
        }
    }

    /// Whether a node may start now.
    pub fn fits(&self, wants: &Resources) -> bool {
        let cpu = wants.cpu.min(self.cpu.0);
        self.cpu.1 + cpu <= self.cpu.0 + 1e-9
            && self
                .mem
                .1
                .saturating_add(wants.mem.unwrap_or(0).min(self.mem.0))
                <= self.mem.0
            && wants.pools.iter().all(|(name, &wanted)| {
                let (capacity, used) = self.named.get(name).copied().unwrap_or((1.0, 0.0));
                used + wanted <= capacity + 1e-9
            })
    }

    /// Takes what a node wants.
    pub fn take(&mut self, wants: &Resources) {
        self.cpu.1 += wants.cpu.min(self.cpu.0);
        self.mem.1 += wants.mem.unwrap_or(0).min(self.mem.0);
        for (name, &wanted) in &wants.pools {
            self.named.entry(name.clone()).or_insert((1.0, 0.0)).1 += wanted;
        }
    }

    /// Gives it back.
    pub fn give(&mut self, wants: &Resources) {
        self.cpu.1 -= wants.cpu.min(self.cpu.0);
        self.mem.1 -= wants.mem.unwrap_or(0).min(self.mem.0);
        for (name, &wanted) in &wants.pools {
            if let Some(pool) = self.named.get_mut(name) {
                pool.1 -= wanted;
            }
        }
    }
}

/// The selected nodes that could never start on this machine. A pool that nobody declared holds 1.
pub fn beyond(graph: &Graph, selected: &[bool], machine: &Machine) -> Vec<Beyond> {
    let mut all = Vec::new();
    for (at, node) in graph
        .pipeline()
        .nodes
        .iter()
        .enumerate()
        .filter(|(at, _)| selected[*at])
    {
        let mut check = |pool: &str, wanted: f64, capacity: f64| {
            if wanted > capacity + 1e-9 {
                all.push(Beyond {
                    node: NodeId(at as u32),
                    pool: pool.to_owned(),
                    wanted,
                    capacity,
                });
            }
        };
        let wants = &node.resources;
        check("cpu", wants.cpu, f64::from(machine.cpus));
        if let (Some(wanted), Some(capacity)) = (wants.mem, machine.memory) {
            check("mem", wanted as f64, capacity as f64);
        }
        for (name, &wanted) in &wants.pools {
            check(
                name,
                wanted,
                machine.pools.get(name).copied().unwrap_or(1.0),
            );
        }
    }
    all
}
