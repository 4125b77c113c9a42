"""From collisions to training data: events, a fast calorimeter, ntuples, splitting, and the farm that runs them."""
