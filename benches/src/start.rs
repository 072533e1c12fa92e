//! A fresh process: how long until it has its first answer.

use std::time::Instant;

use crate::Result;
use crate::child::{Process, Server};
use crate::contender::Contender;
use crate::plan::Plan;
use crate::statistics::median;
use crate::table::{Goals, Table, number};
use crate::work::micros;
use crate::workload::Workload;

const CONTENDERS: [Contender; 5] = [
    Contender::Floor,
    Contender::Plain,
    Contender::Memory,
    Contender::MemoryProof,
    Contender::RelaxedProof,
];

pub(crate) fn measure(plan: &Plan, goals: &mut Goals) -> Result<()> {
    let server = Server::start(Workload::One)?;
    let mut times: Vec<(Contender, Vec<f64>)> = CONTENDERS
        .into_iter()
        .map(|contender| (contender, Vec::new()))
        .collect();
    for round in 0..=plan.starts {
        for (contender, times) in &mut times {
            let began = Instant::now();
            let mut process = Process::start(&["first", contender.word(), &server.url])?;
            process.line()?;
            // The first round reads the program from disk.
            if round > 0 {
                times.push(micros(began.elapsed()) / 1000.0);
            }
        }
    }
    let mut table = Table::new(["from the start of a process to its first answer", "ms"]);
    let mut floor = f64::NAN;
    for (contender, times) in times {
        let time = median(times);
        table.row([contender.title().to_owned(), number(time)]);
        match contender {
            Contender::Floor => floor = time,
            Contender::Memory | Contender::MemoryProof => goals.at_most(
                format!("first answer of a process: {}", contender.title()),
                4.0,
                time - floor,
                " ms later",
            ),
            _ => {}
        }
    }
    crate::print(&table.to_string())
}
