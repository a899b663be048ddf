//! Helpers of the tests against a real Kafka: the cluster that the environment names, topics of their own, Python.

mod cluster;
mod python;

pub use cluster::Cluster;
pub use python::Python;
