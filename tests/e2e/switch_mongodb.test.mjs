// Moving a running app to MongoDB and back.

import { movesThereAndBack } from './support/moving.mjs'

await movesThereAndBack('mongodb')
