//! A run on a terminal: finished rows scroll up, below them what runs and one bar for the whole.
//!
//! The only file that knows indicatif. It composes the block and says ten times a second that it is time to
//! draw; events only change what the next block says, so ten thousand fast nodes are a few dozen writes. Where
//! the block stands is [`Screen`]'s: indicatif counts rows, which a terminal that is resized makes wrong.

use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use jalon::event::{Body, Event, Sink};

use super::board::Board;
use super::rows::Rows;
use super::screen::Screen;
use super::style::{Style, cut};

/// Between two blocks.
const TICK: Duration = Duration::from_millis(100);
/// A longer bar says no more.
const WIDEST: u16 = 100;
/// Columns and lines below which there is no room for a block.
const LEAST: (u16, u16) = (20, 4);

/// Shows a run on the terminal that standard error is.
pub struct Live {
    rows: Rows,
    pane: Pane,
    bar: ProgressBar,
}

impl Live {
    /// Shows these rows, and a block below them.
    pub fn new(rows: Rows, style: Style) -> Live {
        Live::on(Box::new(io::stderr()), rows, style)
    }

    fn on(out: Box<dyn io::Write + Send>, rows: Rows, style: Style) -> Live {
        let pane = Pane(Arc::new(Mutex::new(State {
            screen: Screen::new(out),
            board: Board::default(),
            frame: Vec::new(),
            size: size(),
            began: Instant::now(),
            ended: false,
        })));
        // Nothing must be drawn before the bar has its style: hidden until then.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        bar.set_style(template(&pane, style));
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(pane.clone())));
        bar.enable_steady_tick(TICK);
        Live { rows, pane, bar }
    }

    /// Takes the block away for good.
    fn end(&mut self) {
        // Waits for the drawing thread; it must not be waited for with the state locked.
        self.bar.disable_steady_tick();
        let mut state = self.pane.lock();
        state.ended = true;
        state.screen.draw(Vec::new());
    }
}

impl Sink for Live {
    fn take(&mut self, event: &Event) {
        let mut state = self.pane.lock();
        let now = state.began.elapsed().as_secs_f64();
        self.rows.fit(state.size.0.into());
        let said = self.rows.of(event);
        state.screen.say(&said);
        state.board.take(event, now);
        let (done, total) = state.board.progress();
        drop(state);
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        if matches!(event.body, Body::RunFinished(_)) {
            self.end();
        }
        // What a hook says after the end has no block to stand above.
        let mut state = self.pane.lock();
        if state.ended {
            state.screen.draw(Vec::new());
        }
    }
}

impl Drop for Live {
    /// Also where a run ends without saying so.
    fn drop(&mut self) {
        self.end();
    }
}

/// The block: what runs, then the bar. Every part is asked for anew each time it is drawn.
fn template(pane: &Pane, style: Style) -> ProgressStyle {
    let running = pane.clone();
    let tail = pane.clone();
    ProgressStyle::with_template("{running}\ntotal   [{wide_bar}] {tail}")
        .expect("a template that a test has drawn")
        .progress_chars("=> ")
        .with_key("running", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&running.lock().running(style));
        })
        .with_key("tail", move |_: &ProgressState, out: &mut dyn Write| {
            let state = tail.lock();
            let _ = out.write_str(&state.board.tail(state.began.elapsed().as_secs_f64()));
        })
}

struct State {
    screen: Screen<Box<dyn io::Write + Send>>,
    board: Board,
    /// The block as far as indicatif has handed it over.
    frame: Vec<String>,
    /// Columns and lines, as of the last block.
    size: (u16, u16),
    began: Instant,
    ended: bool,
}

impl State {
    fn running(&self, style: Style) -> String {
        let (columns, lines) = self.size;
        let now = self.began.elapsed().as_secs_f64();
        // Half of the window belongs to what has happened.
        self.board
            .rows(style, usable(columns).into(), usize::from(lines / 2), now)
            .join("\n")
    }
}

/// What indicatif takes for a terminal.
#[derive(Clone)]
struct Pane(Arc<Mutex<State>>);

impl Pane {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Pane {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Pane")
    }
}

impl TermLike for Pane {
    fn width(&self) -> u16 {
        usable(self.lock().size.0)
    }

    fn height(&self) -> u16 {
        self.lock().size.1
    }

    /// A row of the block, or the spaces that indicatif fills the rest of one with.
    fn write_str(&self, text: &str) -> io::Result<()> {
        if !text.trim().is_empty() {
            let mut state = self.lock();
            // A running node's row was cut before it was painted.
            let fits = text.contains('\x1b');
            let row = if fits {
                text.to_owned()
            } else {
                cut(text, usable(state.size.0).into())
            };
            state.frame.push(row);
        }
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    /// The block is whole.
    fn flush(&self) -> io::Result<()> {
        let mut state = self.lock();
        let mut frame = std::mem::take(&mut state.frame);
        if state.ended {
            return Ok(());
        }
        let (before, size) = (state.size, size());
        state.size = size;
        if size != before {
            // Composed for another size, it could wrap; the next one, a moment later, fits.
            state.screen.resized();
            frame.clear();
        }
        if !state.board.is_busy() || size.0 < LEAST.0 || size.1 < LEAST.1 {
            frame.clear();
        }
        state.screen.draw(frame);
        Ok(())
    }

    // Where the block stands is not indicatif's to say.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The last column stays free: some terminals wrap when it is written, some before the next character.
fn usable(columns: u16) -> u16 {
    columns.saturating_sub(1).clamp(1, WIDEST)
}

/// Columns and lines of the terminal; what terminals once were, where it does not say.
fn size() -> (u16, u16) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use jalon::event::{Finished, Planned, Status, Succeeded, Traced};

    use super::*;

    struct Out(mpsc::Sender<String>);

    impl io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The test may have seen enough.
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn live() -> (Live, mpsc::Receiver<String>) {
        let (sender, written) = mpsc::channel();
        let style = Style::PLAIN;
        (
            Live::on(Box::new(Out(sender)), Rows::new(style, false, 0), style),
            written,
        )
    }

    fn event(body: Body) -> Event {
        Event {
            schema: 1,
            run: String::new(),
            seq: 0,
            at: 0,
            body,
        }
    }

    fn planned(nodes: u64) -> Event {
        let (project, env, targets) = (String::new(), String::new(), Vec::new());
        let planned = Planned {
            project,
            env,
            targets,
            nodes,
            hit: 0,
            run: nodes,
            maybe: 0,
            expected: 0.0,
        };
        event(Body::RunPlanned(planned))
    }

    fn started(node: &str) -> Event {
        event(Body::NodeStarted {
            node: node.into(),
            attempt: 1,
            expected: None,
        })
    }

    fn succeeded(node: &str) -> Event {
        event(Body::NodeSucceeded(Succeeded {
            node: node.into(),
            key: String::new(),
            seconds: 0.0,
            cpu_seconds: 0.0,
            max_rss: 0,
            attempts: 1,
            cutoff: false,
            traced: Traced::None,
            undeclared: Vec::new(),
            transcript: None,
            outputs: Default::default(),
            recorded: true,
            unkept: None,
        }))
    }

    #[test]
    fn the_block_is_drawn_and_taken_away() {
        let (mut live, written) = live();
        live.take(&planned(2));
        live.take(&started("train"));
        let drawn = loop {
            let text = written
                .recv_timeout(Duration::from_secs(30))
                .expect("a block");
            if text.contains("train") {
                break text;
            }
        };
        let rows: Vec<&str> = drawn.split("\r\n").collect();
        assert!(rows[0].contains("run     train  "), "{drawn:?}");
        assert!(
            rows[1].starts_with("total   [") && rows[1].contains("] 0/2  0s"),
            "{drawn:?}"
        );
        // As where the run ends by an error that is no event.
        drop(live);
        let last = written.iter().last().expect("more");
        assert_eq!(last, "\r\x1b[J");
    }

    #[test]
    fn ten_thousand_fast_nodes_are_a_few_writes() {
        let (mut live, written) = live();
        live.take(&planned(10_000));
        for number in 0..10_000 {
            let node = number.to_string();
            live.take(&started(&node));
            live.take(&succeeded(&node));
        }
        let (counts, status) = (Default::default(), Status::Succeeded);
        live.take(&event(Body::RunFinished(Finished {
            status,
            seconds: 1.0,
            counts,
            saved_seconds: 0.0,
            error: None,
        })));
        drop(live);
        let all: Vec<String> = written.iter().collect();
        let text = all.concat();
        assert!(all.len() < 400, "{} writes", all.len());
        assert_eq!(text.matches("ran     ").count(), 10_000);
        assert!(
            text.ends_with("done: nothing to do in 1.0s\n"),
            "{:?}",
            &text[text.len() - 80..]
        );
    }
}
