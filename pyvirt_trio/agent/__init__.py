"""The guest agent's protocol: `wire` knows bytes, `session` waits for them."""
