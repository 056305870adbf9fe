//! The whole program: the real binary, real HTTP on loopback, real files, and the readers that other
//! people use. Modules are named after behaviour; `harness` is what they share.

mod harness;

mod again;
mod changes;
mod compact;

mod contradictions;
mod day_markers;
mod delta;
mod demo;
mod exit_codes;
mod feed;
mod hostile;

mod identity;
mod interrupts;
mod kill_matrix;
mod layers;
mod limits;
mod listings;
mod machine;
mod maintenance;
mod memory;
mod mend;
mod neighbours;
mod nights;
mod object_stores;
mod odd_answers;
mod older_lakes;
mod outside;
mod pace;
mod pins;
mod planned;
mod readers;
mod rebuild;
mod rejects;
mod replay;
mod running;
mod sample;
mod secrets;
mod settings;
mod shards;
mod shared_pace;
mod sound_log;
mod stores;
mod trouble;
mod verify;
mod verify_beside;
mod warehouse;
mod watch;
mod ways_out;
mod writers;
