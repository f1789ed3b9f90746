"""What calls of language models cost: price lists by date, and sums of tokens in columns.

`price_list` asks the list that comes with the collector (the bundled data of genai-prices, never fetched),
`price_table` is what a user sets against it. `rates` are prices as numbers that many calls are multiplied
with at once, `pricing` finds the rate of each call by its provider, its model and its time, and remembers
which those are.
"""
