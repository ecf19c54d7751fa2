"""Read pickles as data: containers, numbers, strings and arrays, and nothing that runs."""
