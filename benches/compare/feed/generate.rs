//! Writes a set of answers: `answers.bin`, one behind the other, and `index.tsv`, where each lies.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::answers::{Answer, Shape, moment};

/// Writes the set, the index last: a folder with an index is whole.
pub(crate) fn generate(folder: &Path, shape: Shape) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut answers = BufWriter::new(File::create(folder.join("answers.bin"))?);
    let mut index = Vec::new();
    let mut offset = 0;
    let mut piece = Vec::new();
    for number in 0..shape.tasks {
        let task = shape.task(number);
        let answer = Answer::new(&task);
        let begin = offset;
        let mut flush = |piece: &mut Vec<u8>| {
            offset += piece.len() as u64;
            let written = answers.write_all(piece);
            piece.clear();
            written
        };
        answer.head(&mut piece);
        for call in 0..task.calls {
            answer.call(call, &mut piece);
            if piece.len() > 1 << 20 {
                flush(&mut piece)?;
            }
        }
        answer.tail(&mut piece);
        flush(&mut piece)?;
        let (start, end) = (moment(task.start, 'T'), moment(task.end, 'T'));
        let length = offset - begin;
        writeln!(
            index,
            "{}\t{}\t{start}Z\t{end}Z\t{begin}\t{length}\t{}",
            task.id, task.workflow, task.calls
        )?;
    }
    answers.flush()?;
    fs::write(folder.join("index.tsv"), index)
}
