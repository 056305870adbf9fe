//! The share of the memory budget that is left for rows.

use super::real::buffer_options;
use super::*;
use crate::lake::write::WriteBuffer;

#[tokio::test]
async fn rows_get_what_tasks_and_the_plan_leave_of_the_memory_budget() {
    let scene = Scene::new();
    let writer = scene.writer("r1").await;
    let buffer = WriteBuffer::new(buffer_options(&writer, &[("write.memory_budget", "1MiB")]));
    assert_eq!(buffer.available(), 1 << 20);
    buffer.reserve(300_000);
    buffer.charge(500_000);
    assert_eq!(buffer.available(), (1 << 20) - 800_000);
    buffer.charge(500_000);
    assert_eq!(buffer.available(), 0, "it is none, and no error");
    buffer.take_files();
    assert_eq!(buffer.available(), (1 << 20) - 300_000, "the plan stays");
}
