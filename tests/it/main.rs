//! The whole program: the real binary, real HTTP on loopback, real files, and the readers that other
//! people use. Modules are named after behaviour; `harness` is what they share.

mod harness;

mod again;
mod odd_answers;
mod readers;
mod rebuild;
mod sample;
mod trouble;
