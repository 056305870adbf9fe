//! The share of the memory budget that is left for rows.

use super::real::chunk_options;
use super::*;
use crate::lake::write::Chunk;

#[tokio::test]
async fn rows_get_what_tasks_and_the_plan_leave_of_the_memory_budget() {
    let scene = Scene::new();
    let writer = scene.writer("r1").await;
    let chunk = Chunk::new(chunk_options(&writer, &[("write.memory_budget", "1MiB")]));
    assert_eq!(chunk.room(), 1 << 20);
    chunk.set_aside(300_000);
    chunk.count(500_000);
    assert_eq!(chunk.room(), (1 << 20) - 800_000);
    chunk.count(500_000);
    assert_eq!(chunk.room(), 0, "it is none, and no error");
    chunk.take_files();
    assert_eq!(chunk.room(), (1 << 20) - 300_000, "the plan stays");
}
