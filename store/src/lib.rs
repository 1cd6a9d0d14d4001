//! What is kept. Knows no pipeline.
