"""The engine under crashes: what breaks promises is looked for here, on purpose and by chance."""
