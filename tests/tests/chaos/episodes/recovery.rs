//! End of an episode: all faults end, and everything must work.

use rustuya_conformance::{Answer, Call, How, KEY};
use rustuya_proto::Dialect;
use rustuya_runtime::Pacing;
use serde_json::json;

use super::episode::{BY_HAND, CHILD, DPS, Episode, LIMIT};

impl Episode<'_> {
    /// Ends all faults and checks that everything works.
    pub(super) fn recover(&mut self) -> Result<(), String> {
        self.set_fault(None);
        self.device.power_on().map_err(|error| error.to_string())?;
        self.note(|| "comes to rest".into());
        self.device.set_key(KEY);
        self.vary_plan();
        (self.plan.pacing, self.plan.nowait, self.plan.persist) = (Pacing::NONE, false, true);
        (self.plan.version, self.plan.command_timeout) = (Some(self.device.version()), LIMIT);
        self.plan.dialect = (self.dialect == Dialect::Device22).then_some(self.dialect);
        self.stage.reconfigure(0, &self.plan);
        let mut open = core::mem::take(&mut self.open);
        for open in open.drain(..) {
            let answer = self.stage.end(open.ticket, LIMIT);
            let answer = answer.ok_or_else(|| format!("a command given at {:?} is not resolved", open.given))?;
            self.resolved(&open, &answer)?;
        }
        self.check_all()?;
        let mut answer = None;
        for _ in 0..20 {
            let ticket = self.stage.begin(0, &Call::Query, How::Written);
            answer = Some(self.stage.end(ticket, LIMIT * 2).ok_or("a query is not resolved")?);
            self.balance.given += 1;
            match &answer {
                Some(Answer::Reply { .. }) => break,
                Some(Answer::Failed(error)) => self.balance.count_refusal(true, error),
                _ => return Err(format!("a query comes to {answer:?}")),
            }
            self.pass(self.ms(100));
        }
        if !matches!(answer, Some(Answer::Reply { .. })) {
            return Err(format!("all is well, and yet a query comes to {answer:?}"));
        }
        self.check_all()?;
        self.write_last_value()?;
        for cid in [None, Some(CHILD)].into_iter().filter(|cid| cid.is_none() || self.gateway) {
            self.model.check_end(cid, &self.device.dps(cid))?;
        }
        self.receive_last_change()?;
        let (known, has) = (self.stage.state(0, None), self.device.dps(None));
        for (dp, value) in &has {
            if known.get(dp).is_some_and(|known| known != value) {
                return Err(format!("DP {dp} is {value}, and known as {:?}", known.get(dp)));
            }
        }
        self.close()
    }

    /// Checks that a write without faults takes effect.
    fn write_last_value(&mut self) -> Result<(), String> {
        for (name, dp) in DPS {
            let value = self.model.add((None, dp));
            self.balance.given += 1;
            let ticket = self.stage.begin(0, &Call::Set(name, json!(value)), How::Acked);
            let answer = self.stage.end(ticket, LIMIT).ok_or("a write is not resolved")?;
            if let Answer::Failed(error) = &answer {
                self.balance.count_refusal(true, error);
            }
            self.pass(self.ms(1));
            // An old connection may still be closing.
            if matches!(answer, Answer::Reply { .. }) && self.device.dps(None)[name] != value {
                return Err(format!("all is well, and yet {value} is not written to DP {name}: {answer:?}"));
            }
        }
        self.check_all()
    }

    /// Checks that a change by hand is reported without faults.
    fn receive_last_change(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            // The connection may be closing, and its device with it.
            self.by_hand += 1;
            self.device.push(None, json!({ BY_HAND: self.by_hand }));
            for _ in 0..100 {
                self.stage.wait_briefly();
                self.listen()?;
                if self.listened.last_by_hand == self.by_hand {
                    return Ok(());
                }
            }
        }
        Err("a change by hand is not heard".into())
    }
}
