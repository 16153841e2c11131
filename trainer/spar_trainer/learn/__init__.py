"""The proof that self-play learns, on two cores: `npm run learn`."""
