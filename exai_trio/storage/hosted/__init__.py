"""What a store on this machine and one that all machines share have to do with each other: no SQL, no HTTP."""
