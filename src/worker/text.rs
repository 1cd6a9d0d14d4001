//! Bytes that come in chunks as text: a character that a chunk cuts in two comes with the next one.
//!
//! What is not UTF-8 is replaced, as nothing else can be done with it. Knows nothing of what is said.

/// One stream of bytes becoming text.
#[derive(Debug, Default)]
pub struct Decoder {
    held: Vec<u8>,
}

impl Decoder {
    /// The text of a chunk, but for a character at its end that is not whole yet.
    pub fn push(&mut self, chunk: &[u8]) -> String {
        self.held.extend_from_slice(chunk);
        let whole = self.held.len() - unfinished(&self.held);
        let rest = self.held.split_off(whole);
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held = rest;
        text
    }

    /// What never became a whole character.
    pub fn end(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}

/// How many bytes at the end begin a character and do not end it.
fn unfinished(bytes: &[u8]) -> usize {
    let longest = bytes.len().min(3);
    for back in 1..=longest {
        let tail = &bytes[bytes.len() - back..];
        match std::str::from_utf8(tail) {
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => return back,
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_character_in_two_chunks_is_one() {
        let mut decoder = Decoder::default();
        let bytes = "数据 ok".as_bytes();
        let parts = [&bytes[..4], &bytes[4..5], &bytes[5..]];
        let text: Vec<String> = parts.iter().map(|part| decoder.push(part)).collect();
        assert_eq!(text, ["数", "", "据 ok"]);
        assert_eq!(decoder.end(), "");
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "[a-é数😀]{0,20}".prop_map(String::into_bytes),
            ],
            size in 1usize..6,
        ) {
            let mut decoder = Decoder::default();
            let mut text: String = bytes.chunks(size).map(|chunk| decoder.push(chunk)).collect();
            text += &decoder.end();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
