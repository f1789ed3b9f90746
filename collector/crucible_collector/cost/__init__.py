"""What calls of language models cost: price lists by date, and sums of tokens in columns."""
