/**
 * 256 words for reading bytes aloud: common, short, no two alike in their first four letters, none that
 * two people would spell differently or be embarrassed by.
 */

export const WORDS: readonly string[] = `
  acid acorn actor adult agent album alert alley amber angle ankle apple april apron arena
  armor arrow artist attic autumn bacon badge baker bamboo banana barley basket beach beard
  bench berry bicycle bishop blanket blossom boat border bottle branch brick bridge bronze
  bucket butter cabin cactus camel candle canoe canvas carbon carpet castle cedar chalk
  cherry chess cider cinema circle citrus clay clover cobalt coconut coffee comet copper
  coral corner cotton cradle crayon cricket crystal cube daisy dance delta denim desert
  diary dinner doctor dolphin domino donkey dragon drum eagle echo eclipse elbow ember
  engine envelope fabric falcon feather fence ferry fiddle finger flame flute forest fossil
  fox frost galaxy garden garlic ghost giant ginger giraffe glacier glove goblin gold gravel
  guitar hammer harbor hazel helmet herring hockey honey hotel igloo indigo insect island
  ivory jacket jaguar jasmine jelly jewel jungle kayak kennel ketchup kettle kiwi koala
  ladder lagoon lantern lemon lentil leopard lily lizard lobster locket lotus lumber magnet
  mango maple marble meadow melon mirror mitten monkey moss motor muffin museum nectar
  needle nickel nugget oasis ocean olive onion orbit orchid otter oxygen oyster paddle
  palace panda paper parrot peanut pebble pencil pepper piano pigeon pillow pirate planet
  plum pocket poppy potato prism pumpkin puzzle quartz rabbit radar raven ribbon river robin
  rocket saddle salmon sandal sapphire scarf shadow silver socket spider spoon stable statue
  summer sunset syrup tablet temple thunder ticket tiger timber tomato torch trumpet tulip
  tunnel turtle umbrella uncle valley velvet violin volcano wagon walnut walrus window
  winter wizard yogurt zebra zipper
`
  .trim()
  .split(/\s+/)
