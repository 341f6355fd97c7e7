//! QR codes for terminals.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::qr_text::QrText;

impl QrText {
    /// Draws the code with block characters, two modules to a character, with a margin, for a terminal with light letters
    /// on a dark ground. `None` for a text that is too long for any code.
    pub fn draw(&self) -> Option<String> {
        let code = QrCode::with_error_correction_level(self.expose(), EcLevel::Q).ok()?;
        // Most terminals are dark: their ink is light.
        Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_square_and_have_a_margin() {
        let draw = |text: &str| QrText::new(text.to_owned()).draw();
        let drawn = draw("tuyaSmart--qrLogin?token=abcdefghijklmnop").expect("is short");
        let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        let width = lines[0].len();
        assert!(lines.iter().all(|line| line.len() == width) && width.div_ceil(2) == lines.len(), "{drawn}");
        assert!(lines[0].iter().all(|c| *c == '█'), "{drawn}");
        assert!(draw(&"x".repeat(4000)).is_none());
    }
}
