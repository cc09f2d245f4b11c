"""What flows through datagen: records, samples, documents, chunks, stage results, and codecs for row formats."""
