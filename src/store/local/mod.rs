//! The local disk: the root folder of a lake, a run's lock and staging folder, and the operations
//! under them.

mod disk;
mod folder;
mod links;
mod ours;
mod probe;
mod run;
mod staging;

pub(super) use disk::{
    LOCK, create_folders, create_private, is_no_file, is_of_missing, list, open, remove,
    remove_empty_folder, size, stop_waiting,
};
pub(super) use folder::Folder;
pub(super) use ours::{Whose, whose};
pub(super) use probe::probe;
pub(super) use run::LocalRun;
pub(super) use staging::Staging;
