// Moving a running app to PostgreSQL and back.

import { movesThereAndBack } from './support/moving.mjs'

await movesThereAndBack('postgres')
